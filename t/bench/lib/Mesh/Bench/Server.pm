package Mesh::Bench::Server;

# One server of the bench: started in the foreground, stopped by its pid.

use v5.36;

use IO::Socket::INET;
use List::Util qw(sum0);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Test::Mesh::File;
use Test::Mesh::Process qw(end_child);

# Seconds that a start may take; under valgrind, and on a busy machine, it is slow.
my $PATIENCE = 300;

# name, root (its own directory), command (words), port; single: it is one process without a master.
# It is ready after `ready`: several can start at once.
sub start ($class, %options) {
    my $self = bless {%options}, $class;
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>', "$self->{root}/stderr";
        open STDOUT, '>&', \*STDERR;
        exec { $self->{command}[0] } $self->{command}->@* or POSIX::_exit(127);
    }
    return $self;
}

sub ready ($self) {
    my $until = time + $PATIENCE;
    until ($self->worker && IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}")) {
        die "$self->{name} did not start:\n" . $self->last_words
            if time > $until || !$self->is_running;
        sleep 0.05;
    }
    return $self;
}

sub is_running ($self) {
    return defined $self->{pid} && waitpid($self->{pid}, WNOHANG) == 0;
}

# The process that serves: itself, or the worker of its master.
sub worker ($self) {
    return $self->{pid} if $self->{single};
    return (split ' ', slurp("/proc/$self->{pid}/task/$self->{pid}/children", ''))[0];
}

# Nanoseconds that the worker has run; its background thread counts as well.
sub nanoseconds ($self) {
    my $sum = 0;
    for my $path (glob '/proc/' . $self->worker . '/task/*/schedstat') {
        $sum += (split ' ', slurp($path, '0'))[0];
    }
    die "the kernel does not tell the processor time of $self->{name}\n" unless $sum;
    return $sum;
}

# Bytes of memory that are the worker's own.
sub private_bytes ($self) {
    return 1024 * sum0 slurp('/proc/' . $self->worker . '/smaps_rollup') =~ /^Private_\w+:\s+(\d+) kB/mg;
}

sub last_words ($self) {
    return join '', map { slurp("$self->{root}/$_", '') } qw(stderr error.log);
}

sub stop ($self) {
    my $pid = delete $self->{pid} // return;
    end_child($pid, 'TERM');
    return;
}

1;
