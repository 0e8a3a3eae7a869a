package Test::Mesh::WebSocket;

use v5.36;

use Carp qw(croak);
use Digest::SHA qw(sha1_base64);

use Test::Mesh::Client;
use Test::Mesh::Upstream qw(read_head);

my $KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

# Answers a handshake as an upstream; the query says how: `choose` names the protocol, `status` is another
# status than 101. Then sends the head that it received, and echoes what it is sent.
sub echo_texts ($socket) {
    my ($head, $rest) = read_head($socket) or return;
    if (my ($status) = $head =~ /\A\S+ \S*[?&]status=(\d+)/) {
        print {$socket} "HTTP/1.1 $status No\r\nX-Upstream: yes\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return;
    }
    my ($key) = $head =~ /^Sec-WebSocket-Key: *(\S+)/mi;
    my @lines = ('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade');
    push @lines, 'Sec-WebSocket-Accept: ' . accept_of($key // '');
    if (my ($chosen) = $head =~ /\A\S+ \S*[?&]choose=([^& ]*)/) {
        push @lines, "Sec-WebSocket-Protocol: $chosen";
    }
    print {$socket} join "\r\n", @lines, '', frame($head);
    $socket->flush;
    while (defined(my $text = text(sub { sysread $socket, $rest, 65536, length $rest }, \$rest))) {
        print {$socket} frame($text);
        $socket->flush;
    }
    return;
}

# RFC 6455 section 4.2.2.
sub accept_of ($key) { return sha1_base64("${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11") . '=' }

# A whole text, with a mask from a client (RFC 6455 section 5.2).
sub frame ($text, $mask = undef) {
    my $length = length $text;
    my $head = $length < 126 ? pack 'C', $length : pack 'Cn', 126, $length;
    return "\x81$head$text" if !defined $mask;
    substr $head, 0, 1, chr(0x80 | ord $head);
    return "\x81$head$mask" . masked($text, $mask);
}

sub masked ($text, $mask) {
    return $text ^. substr $mask x (1 + length($text) / 4), 0, length $text;
}

# The next text; `fill` reads more, and is false at the end.
sub text ($fill, $buffer) {
    while (1) {
        if ($$buffer =~ /\A\x81(.)/s) {
            my ($is_masked, $length, $at) = (ord($1) & 0x80, ord($1) & 0x7f, 2);
            if ($length == 126 && length $$buffer >= 4) {
                ($length, $at) = (unpack('x2 n', $$buffer), 4);
            }
            my $whole = $at + ($is_masked ? 4 : 0) + $length;
            if (($length != 126 || $at == 4) && length $$buffer >= $whole) {
                my $frame = substr $$buffer, 0, $whole, '';
                my $text = substr $frame, $whole - $length;
                return $is_masked ? masked($text, substr $frame, $at, 4) : $text;
            }
        }
        $fill->() or return undef;
    }
}

# Asks for a WebSocket: the head of the answer, and for a 101 the connection.
sub handshake ($class, $port, $target, @headers) {
    my $client = Test::Mesh::Client->connect(port => $port);
    $client->send(join "\r\n", "GET $target HTTP/1.1", 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
        'Sec-WebSocket-Version: 13', "Sec-WebSocket-Key: $KEY", @headers, '', '');
    my $head = $client->take(qr/\A.*?\r\n\r\n/s) // croak 'no answer';
    my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)} or croak "not a response: $head";
    croak 'another Sec-WebSocket-Accept' if $status == 101 && $head !~ /^Sec-WebSocket-Accept: \Q@{[accept_of($KEY)]}\E\r$/m;
    return bless { client => $client, head => $head, status => $status }, $class;
}

sub head ($self) { return $self->{head} }

sub status ($self) { return $self->{status} }

# The values of the field in the answer.
sub protocols ($self) { return $self->{head} =~ /^Sec-WebSocket-Protocol: *(.*?)\r$/mig }

# Sends a text, if there is one, and returns the next.
sub talk ($self, $text = undef) {
    my $client = $self->{client};
    $client->send(frame($text, "\x01\x02\x03\x04")) if defined $text;
    return text(sub { $client->fill }, \$client->{buffer});
}

sub close ($self) { return $self->{client}->close }

1;

__END__

=head1 NAME

Test::Mesh::WebSocket - both ends of a WebSocket

=head1 SYNOPSIS

    my $upstream = Test::Mesh::Upstream->start(answer => \&Test::Mesh::WebSocket::echo_texts);
    my $socket = Test::Mesh::WebSocket->handshake($server->port, '/ws?choose=chat', 'Sec-WebSocket-Protocol: chat');
    $socket->status == 101 and my $heard = $socket->talk;   # the head that the upstream received
    $socket->talk('hello');                                 # 'hello'

=cut
