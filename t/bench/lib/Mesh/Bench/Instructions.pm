package Mesh::Bench::Instructions;

# User instructions a request, by the processor's counters or by callgrind.

use v5.36;

use Time::HiRes qw(sleep time);

# The words in front of a load generator that make perf count the process meanwhile; none where
# the machine has no counters.
sub perf ($pid, $out) {
    state $counts = do {
        my $text = qx(perf stat -x, -e instructions:u -- true 2>&1) // '';
        $text =~ /^[1-9]\d*,,instructions:u/m;
    };
    return $counts ? ('perf', 'stat', '-x,', '-e', 'instructions:u', '-p', $pid, '-o', $out, '--') : ();
}

sub perf_result ($out) {
    open my $in, '<', $out or return;
    local $/;
    return <$in> =~ /^(\d+),,instructions:u/m ? $1 : undef;
}

# The words in front of an Nginx that runs under callgrind. It writes what it has counted, and
# begins anew, whenever Nginx reopens its logs.
sub callgrind ($root) {
    return ['valgrind', '-q', '--tool=callgrind', '--dump-before=ngx_reopen_files',
        "--callgrind-out-file=$root/callgrind.out"];
}

# A Nginx under callgrind that has been started; `$root` as above.
sub new ($class, $server, $root) {
    return bless { server => $server, root => $root, dumps => 0 }, $class;
}

# Instructions a request: of two counts of requests on one connection, the difference.
sub measure ($self, $count, $send) {
    $send->(20);
    $self->dump;
    my ($few, $many) = map { $send->($_ * $count); $self->dump } 1, 3;
    return ($many - $few) / (2 * $count);
}

# What was counted since the last time.
sub dump ($self) {
    my $number = ++$self->{dumps};
    kill 'USR1', $self->{server}{pid} or die "$self->{server}{name} has ended\n";
    my $path = "$self->{root}/callgrind.out.$number";
    my $until = time + 60;
    while (time < $until) {
        if (open my $in, '<', $path) {
            while (my $line = <$in>) { return $1 if $line =~ /^totals: (\d+)/ }
        }
        sleep 0.02;
    }
    die "callgrind wrote no $path\n";
}

1;
