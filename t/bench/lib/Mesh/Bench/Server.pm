package Mesh::Bench::Server;

# One Nginx of the bench: started in the foreground, stopped by its pid.

use v5.36;

use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

# Seconds that a start may take; under valgrind it is slow.
my $PATIENCE = 60;

# name, root, port, config (text); and command (words in front of nginx), single (one process).
sub start ($class, %options) {
    my $self = bless {%options}, $class;
    my $root = $self->{root};
    mkdir "$root/$self->{name}" or die "$root/$self->{name}: $!\n";
    my $config = "$root/$self->{name}/nginx.conf";
    spew($config, $self->{config});
    my $daemon = 'daemon off;' . ($self->{single} ? ' master_process off;' : '');
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>', "$root/$self->{name}/stderr";
        open STDOUT, '>&', \*STDERR;
        exec(($self->{command} // [])->@*, $self->{nginx}, '-p', "$root/$self->{name}/", '-c',
            $config, '-e', "$root/$self->{name}/error.log", '-g', $daemon) or POSIX::_exit(127);
    }
    my $until = time + $PATIENCE;
    until (IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}") && $self->worker) {
        die "$self->{name} did not start:\n" . $self->complaints
            if time > $until || waitpid($self->{pid}, WNOHANG) > 0;
        sleep 0.05;
    }
    return $self;
}

# The process that serves: Nginx itself, or the worker of its master.
sub worker ($self) {
    return $self->{pid} if $self->{single};
    open my $in, '<', "/proc/$self->{pid}/task/$self->{pid}/children" or return;
    return (split ' ', scalar(<$in>) // '')[0];
}

# Nanoseconds that the worker has run; its background thread counts as well.
sub nanoseconds ($self) {
    my $sum = 0;
    for my $path (glob '/proc/' . $self->worker . '/task/*/schedstat') {
        open my $in, '<', $path or next;
        $sum += (split ' ', scalar <$in>)[0];
    }
    die "the kernel does not tell the processor time of $self->{name}\n" unless $sum;
    return $sum;
}

# Bytes of memory that are the worker's own.
sub private_bytes ($self) {
    open my $in, '<', '/proc/' . $self->worker . '/smaps_rollup' or return;
    my $sum = 0;
    while (my $line = <$in>) { $sum += $1 * 1024 if $line =~ /^Private_\w+:\s+(\d+) kB/ }
    return $sum;
}

sub complaints ($self) {
    my $text = '';
    for my $name (qw(stderr error.log)) {
        open my $in, '<', "$self->{root}/$self->{name}/$name" or next;
        local $/;
        $text .= <$in> // '';
    }
    return $text;
}

sub stop ($self) {
    my $pid = delete $self->{pid} // return;
    kill 'TERM', $pid;
    for (1 .. 100) {
        return if waitpid($pid, WNOHANG) != 0;
        sleep 0.1;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

sub spew ($path, $text) {
    open my $out, '>:raw', $path or die "$path: $!\n";
    print {$out} $text;
    close $out or die "$path: $!\n";
    return;
}

1;
