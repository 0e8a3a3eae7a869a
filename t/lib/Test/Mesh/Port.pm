package Test::Mesh::Port;

use v5.36;

use Carp qw(croak);
use Exporter qw(import);
use IO::Socket::INET;

our @EXPORT = qw(free_port silent_port);

# A port of 127.0.0.1 on which nobody listens; each is given once. It is below the range from which
# the kernel takes ports for outgoing connections.
sub free_port () {
    state %given;
    for my $attempt (1 .. 1000) {
        my $port = 20_000 + int rand 12_000;
        next if $given{$port}++;
        return $port if IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
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
