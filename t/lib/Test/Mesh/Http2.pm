package Test::Mesh::Http2;

use v5.36;

use Carp qw(croak);
use List::Util qw(min);
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use Test::Mesh::Client;

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6, WINDOW_UPDATE => 8 };
use constant { END_STREAM => 1, END_HEADERS => 4, ACK => 1 };

# The statuses of the static table (RFC 7541 appendix A).
my %STATUS = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304, 0x8c => 400, 0x8d => 404, 0x8e => 500);

# Opens a connection and begins to speak.
sub connect ($class, $port) {
    my $self = bless {
        client => Test::Mesh::Client->connect(port => $port), stream => -1, window => 65535,
        windows => {}, initial => 65535, responses => {},
    }, $class;
    # A ping does not wait for the acknowledgement of what came before.
    $self->{client}->socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    $self->{client}->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(SETTINGS, 0, 0, ''));
    # Its settings say how much of a body may be sent before it asks for more.
    until ($self->{has_settings}) { $self->read_frame or croak 'the connection ends' }
    return $self;
}

# Begins a request, and returns its stream. `fields` are pairs; without `body` it has none.
sub begin ($self, $method, $path, $fields, %options) {
    my $stream = $self->{stream} += 2;
    my @pairs = (':method' => $method, ':scheme' => 'http', ':path' => $path, ':authority' => 'localhost', @$fields);
    my $block = '';
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $block .= "\0" . string(lc $name) . string($value);
    }
    $self->{windows}{$stream} = $self->{initial};
    my $flags = END_HEADERS | ($options{body} ? 0 : END_STREAM);
    $self->{client}->send(frame(HEADERS, $flags, $stream, $block));
    return $stream;
}

# Sends a part of a body as far as the windows allow, and waits for what they do not. Stops if the stream
# has ended.
sub data ($self, $stream, $bytes, %options) {
    while (1) {
        my $room = min(16384, $self->{window}, $self->{windows}{$stream});
        if ($room <= 0 && length $bytes) {
            return $self if $self->{responses}{$stream}{ended} || !$self->read_frame;
            next;
        }
        my $part = substr $bytes, 0, $room, '';
        $self->{window} -= length $part;
        $self->{windows}{$stream} -= length $part;
        my $is_last = $options{last} && !length $bytes;
        $self->{client}->send(frame(DATA, $is_last ? END_STREAM : 0, $stream, $part));
        return $self if !length $bytes;
    }
}

# Resets a stream.
sub reset ($self, $stream) {
    $self->{client}->send(frame(RST_STREAM, 0, $stream, pack 'N', 8));
    return $self;
}

# Waits for an answer to a ping: whatever was sent before has come.
sub ping ($self) {
    $self->{client}->send(frame(PING, 0, 0, 'x' x 8));
    delete $self->{pong};
    until ($self->{pong}) { $self->read_frame or croak 'the connection ends' }
    return $self;
}

# The whole response of a stream: status and body; undef if it was reset before, or the connection ended.
sub response ($self, $stream) {
    my $response = $self->{responses}{$stream} //= {};
    until ($response->{ended}) { $self->read_frame or last }
    return defined $response->{status} && $response->{is_whole} ? $response : undef;
}

sub close ($self) {
    $self->{client}->close;
    return;
}

# Takes the next frame; false at the end of the connection.
sub read_frame ($self) {
    my $client = $self->{client};
    my $head = eval { $client->take_bytes(9) } // return 0;
    my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN', $head;
    my $payload = $client->take_bytes($high << 16 | $low);
    my $response = $self->{responses}{$stream} //= {};
    if ($type == SETTINGS && !($flags & ACK)) {
        my %settings = unpack '(nN)*', $payload;
        $self->{initial} = $settings{4} if defined $settings{4};
        $self->{has_settings} = 1;
        $client->send(frame(SETTINGS, ACK, 0, ''));
    }
    elsif ($type == WINDOW_UPDATE) {
        my $more = unpack 'N', $payload;
        $stream ? $self->{windows}{$stream} += $more : ($self->{window} += $more);
    }
    elsif ($type == HEADERS) {
        # The first field is the status; a change of the table's size may come before it.
        my ($first, undef, $digits) = unpack 'CCa3', $payload =~ s/\A[\x20-\x3f]+//r;
        $response->{status} = $STATUS{$first} // $digits;
        $response->{body} = '';
    }
    elsif ($type == DATA) {
        $response->{body} .= $payload;
        # The server's windows are not what is tested.
        if (length $payload) {
            $client->send(join '', map { frame(WINDOW_UPDATE, 0, $_, pack 'N', length $payload) } 0, $stream);
        }
    }
    elsif ($type == PING) {
        $self->{pong} = $flags & ACK;
    }
    $response->{is_reset} = 1 if $type == RST_STREAM;
    $response->{is_whole} = 1 if ($type == HEADERS || $type == DATA) && $flags & END_STREAM;
    $response->{ended} = 1 if $response->{is_whole} || $response->{is_reset};
    return 1;
}

sub frame ($type, $flags, $stream, $payload) {
    my $length = length $payload;
    return pack('CnCCN', $length >> 16, $length & 0xffff, $type, $flags, $stream) . $payload;
}

# A string literal, which may be longer than seven bits can say (RFC 7541 section 5.1).
sub string ($text) {
    my $length = length $text;
    return chr($length) . $text if $length < 127;
    my $bytes = chr 127;
    for ($length -= 127; $length >= 128; $length >>= 7) { $bytes .= chr($length & 127 | 128) }
    return $bytes . chr($length) . $text;
}

1;

__END__

=head1 NAME

Test::Mesh::Http2 - an HTTP/2 client that sends its frames when it is told

=head1 SYNOPSIS

    my $client = Test::Mesh::Http2->connect($server->port('h2'));
    my $stream = $client->begin(POST => '/', [authorization => "Bearer $token"], body => 1);
    $client->data($stream, 'half of it')->ping;           # it has come
    $client->data($stream, 'the rest', last => 1);
    is $client->response($stream)->{status}, 200;
    $client->reset($stream);

=head1 DESCRIPTION

Without TLS, by prior knowledge. Of a response it reads status and body, which is all that can be read
without the header compression of the server.

=cut
