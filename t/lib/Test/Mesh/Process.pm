package Test::Mesh::Process;

use v5.36;

use Exporter qw(import);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Test::Mesh::File;
use Test::Mesh::Wait;

our @EXPORT_OK = qw(children end_child output_of private_kb said_by title);

# The children of a process; with a title, those that have it.
sub children ($parent, $title = undef) {
    my @children;
    for my $path (glob '/proc/[0-9]*/stat') {
        my ($pid, $of) = slurp($path, '') =~ /\A(\d+) \(.*\) \S (\d+) /s or next;
        push @children, $pid if $of == $parent && (!defined $title || title($pid) eq $title);
    }
    return @children;
}

# What a process calls itself; nothing if it has ended.
sub title ($pid) { return slurp("/proc/$pid/cmdline", '') =~ s/[\0\s]+\z//r }

# The memory that a process shares with no other, in KiB; nothing if it has ended.
sub private_kb ($pid) { return (slurp("/proc/$pid/status", '') =~ /^RssAnon:\s+(\d+) kB/m)[0] }

# Ends a child by a signal. Tells whether it went by itself; kills it if it did not.
sub end_child ($pid, $signal) {
    kill $signal, $pid;
    my $deadline = time + $PATIENCE;
    while (time < $deadline) {
        return 1 if waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 0;
}

# Runs a command, and returns what it prints.
sub output_of (@command) {
    open my $out, '-|', @command or die "$command[0]: $!\n";
    binmode $out;
    my $text = do { local $/; <$out> };
    close $out or die "$command[0] failed with status " . ($? >> 8) . ": $text\n";
    return $text;
}

# The status of a command, and all that it says.
sub said_by (@command) {
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    my $said = do { local $/; <$out> };
    close $out;
    return ($?, $said // '');
}

1;

__END__

=head1 NAME

Test::Mesh::Process - processes, by /proc and by signals

=head1 SYNOPSIS

    use Test::Mesh::Process qw(children end_child output_of private_kb said_by title);

    my ($manager) = children($server->master_pid, 'nginx: cache manager process');
    cmp_ok private_kb($manager), '<', 4096;
    end_child($pid, 'TERM') or fail 'it had to be killed';
    my $version = output_of('openssl', 'version');
    my ($status, $said) = said_by('nginx', '-t');

=cut
