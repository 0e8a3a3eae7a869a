package Mesh::Bench::Client;

# One connection that is kept: requests one by one, as many as were asked for and no more.

use v5.36;

use IO::Socket::INET;
use IO::Socket::SSL ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);

# port, status (what is answered), spared (so many answers may be 200 instead), and tls (a hash: ca, cert, key).
sub connect ($class, %options) {
    my %peer = (PeerAddr => '127.0.0.1', PeerPort => $options{port}, Timeout => 60);
    my $tls = $options{tls};
    my $socket = $tls
        ? IO::Socket::SSL->new(%peer, SSL_ca_file => $tls->{ca}, SSL_cert_file => $tls->{cert},
            SSL_key_file => $tls->{key}, SSL_hostname => 'localhost',
            SSL_verifycn_name => 'localhost', SSL_verifycn_scheme => 'http')
        : IO::Socket::INET->new(%peer);
    die "connect to $options{port}: ", $@ || $!, "\n" unless $socket;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    return bless { socket => $socket, %options{qw(status spared)} }, $class;
}

# Sends the requests of `$next`, and dies when one is answered otherwise.
sub exchange ($self, $count, $next) {
    my $socket = $self->{socket};
    for (1 .. $count) {
        print {$socket} $next->() or die "write: $!\n";
        $socket->flush;
        my ($answer, $length) = ('', undef);
        until (defined $length && length $answer >= $length) {
            $socket->sysread($answer, 16384, length $answer) or die "the connection was closed\n";
            next if defined $length;
            my $end = index $answer, "\r\n\r\n";
            next if $end < 0;
            die "answered with: ", $answer =~ s/\r.*//sr, "\n" unless $self->is_expected($answer);
            my ($body) = $answer =~ /\nContent-Length: (\d+)/i or die "an answer without length\n";
            $length = $end + 4 + $body;
        }
    }
    return;
}

sub is_expected ($self, $answer) {
    return 1 if $answer =~ m{\AHTTP/1\.1 $self->{status} };
    return $self->{spared} && $self->{spared}-- && $answer =~ m{\AHTTP/1\.1 200 };
}

1;
