package Test::Mesh::Port;

use v5.36;

use Carp qw(croak);
use Exporter qw(import);
use IO::Socket::INET;

our @EXPORT = qw(free_port silent_port);

# A port of 127.0.0.1 on which nobody listens; each is given once. It is below the range from which
# the kernel takes ports for outgoing connections. Tests that run beside this one do not get it: they
# cannot take the UDP port of its number as long as this test lives.
sub free_port () {
    state @held;
    for my $attempt (1 .. 1000) {
        my $port = 20_000 + int rand 12_000;
        my %local = (LocalAddr => '127.0.0.1', LocalPort => $port);
        my $mark = IO::Socket::INET->new(%local, Proto => 'udp') or next;
        next unless IO::Socket::INET->new(%local, Listen => 1, ReuseAddr => 1);
        push @held, $mark;
        return $port;
    }
    croak 'no free port';
}

# A port on which a connection waits for ever.
sub silent_port () {
    # They listen as long as the test lives.
    state @silent;
    push @silent, IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) // croak "listen: $!";
    return $silent[-1]->sockport;
}

1;

__END__

=head1 NAME

Test::Mesh::Port - ports of 127.0.0.1

=head1 SYNOPSIS

    my $port = free_port();         # connections are refused, until somebody listens
    my $silent = silent_port();     # connections are accepted, and requests never answered

=cut
