package Mesh::Bench::Instructions;

# User instructions a request of a Nginx under callgrind.

use v5.36;

use Time::HiRes qw(sleep time);

# Seconds after which a signal is sent again, and after which it is given up.
my ($AGAIN, $PATIENCE) = (2, 600);

# The words in front of a Nginx that runs under callgrind. It writes what it has counted, and
# begins anew, whenever Nginx reopens its logs.
sub callgrind ($root) {
    return (qw(valgrind -q --tool=callgrind --dump-before=ngx_reopen_files),
        "--callgrind-out-file=$root/callgrind.out");
}

# A Nginx under callgrind that has been started; `$root` as above.
sub new ($class, $server, $root) {
    return bless { server => $server, root => $root, dumps => 0 }, $class;
}

# Instructions a request: of two counts of requests, the difference.
sub measure ($self, $count, $send) {
    $send->(20);
    $self->count;
    my ($few, $many) = map { $send->($_ * $count); $self->count } 1, 3;
    return ($many - $few) / (2 * $count);
}

# What was counted since the last time. A signal that arrives between Nginx's look at its flags and
# its sleep is slept over, so it is sent until there is something new. One too many does no harm:
# what it made Nginx write is complete before the next requests are answered, and is added to them.
sub count ($self) {
    my $sum = 0;
    while (defined(my $written = $self->next)) { $sum += $written }
    my ($until, $again) = (time + $PATIENCE, 0);
    while (1) {
        if (time >= $again) {
            die "$self->{server}{name} has ended\n", $self->{server}->last_words
                unless $self->{server}->is_running;
            die "callgrind wrote nothing\n" if time >= $until;
            kill 'USR1', $self->{server}{pid};
            $again = time + $AGAIN;
        }
        my $written = $self->next;
        return $sum + $written if defined $written;
        sleep 0.02;
    }
    return;
}

# The total of the next file, once it is complete.
sub next ($self) {
    open my $in, '<', "$self->{root}/callgrind.out." . ($self->{dumps} + 1) or return;
    while (my $line = <$in>) {
        next unless $line =~ /^totals: (\d+)$/;
        $self->{dumps}++;
        return $1;
    }
    return;
}

1;
