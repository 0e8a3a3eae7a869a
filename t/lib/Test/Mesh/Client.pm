package Test::Mesh::Client;

use v5.36;

use Carp qw(croak);
use IO::Socket::INET;
use IO::Socket::SSL qw(SSL_VERIFY_PEER);

use Test::Mesh::Wait;

# Opens a connection: to `port`, and with `tls` (a hash) by TLS.
sub connect ($class, %options) {
    my @peer = (PeerAddr => '127.0.0.1', PeerPort => $options{port}, Timeout => $PATIENCE);
    my $tls = $options{tls};
    my $socket = $tls
        ? IO::Socket::SSL->new(
            @peer,
            SSL_ca_file => $tls->{ca} // croak('tls needs a ca'),
            SSL_verify_mode => SSL_VERIFY_PEER,
            SSL_hostname => $tls->{sni} // 'localhost',
            SSL_verifycn_name => $tls->{name} // $tls->{sni} // 'localhost',
            SSL_verifycn_scheme => 'http',
            $tls->{cert} ? (SSL_cert_file => $tls->{cert}, SSL_key_file => $tls->{key}) : (),
            ($tls->{options} // {})->%*,
        )
        : IO::Socket::INET->new(@peer);
    $socket or croak "cannot connect to port $options{port}: $!, " . ($IO::Socket::SSL::SSL_ERROR // '');
    return bless { socket => $socket, buffer => '' }, $class;
}

# Sends a request, and returns the response; the connection stays open for the next one.
sub request ($self, $method, $target, %options) {
    my $body = $options{body};
    my @lines = ("$method $target HTTP/1.1", ($options{headers} // [])->@*);
    splice @lines, 1, 0, 'Host: localhost' unless grep { /^host:/i } @lines;
    push @lines, 'Content-Length: ' . length $body if defined $body;
    $self->send(join("\r\n", @lines, '', '') . ($body // ''));
    return $self->response($method);
}

sub send ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    $self->{socket}->print($bytes);
    $self->{socket}->flush;
    return $self;
}

# Reads one response, or returns undef where the server closed the connection instead.
sub response ($self, $method = 'GET') {
    my $head;
    do {
        $head = $self->take(qr/\A.*?\r\n\r\n/s) // return undef;
    } while ($head =~ m{\AHTTP/1\.1 1\d\d });
    my ($line, @fields) = split /\r\n/, $head;
    my ($status) = $line =~ m{\AHTTP/\S+ (\d{3})} or croak "not a response: $line";
    my %headers;
    for my $field (@fields) {
        my ($name, $value) = $field =~ /\A([^:]+):\s*(.*?)\s*\z/ or croak "not a header: $field";
        push $headers{ lc $name }->@*, $value;
    }
    my %response = (
        status => $status, head => $head, headers => { map { $_ => join ', ', $headers{$_}->@* } keys %headers },
        body => '',
    );
    return \%response if $method eq 'HEAD' || $status == 204 || $status == 304;
    $response{body} = $self->body($response{headers});
    return \%response;
}

sub body ($self, $headers) {
    if (($headers->{'transfer-encoding'} // '') =~ /chunked/i) {
        my $body = '';
        while (1) {
            my $size = $self->take(qr/\A[0-9A-Fa-f]+[^\r]*\r\n/) // croak 'a chunk is cut off';
            my $length = hex $size =~ s/[^0-9A-Fa-f].*//sr;
            $body .= substr $self->take_bytes($length + 2), 0, $length;
            return $body if $length == 0;
        }
    }
    if (defined(my $length = $headers->{'content-length'})) {
        return $self->take_bytes($length);
    }
    return $self->rest;
}

# Everything up to the end of the connection.
sub rest ($self) {
    1 while $self->fill;
    my $rest = $self->{buffer};
    $self->{buffer} = '';
    return $rest;
}

sub take ($self, $pattern) {
    while (1) {
        return $1 if $self->{buffer} =~ s/($pattern)//;
        $self->fill or return undef;
    }
}

sub take_bytes ($self, $length) {
    while (length $self->{buffer} < $length) {
        $self->fill or croak 'the response is cut off';
    }
    return substr $self->{buffer}, 0, $length, '';
}

sub fill ($self) {
    local $SIG{ALRM} = sub { croak "no answer within $PATIENCE s" };
    alarm $PATIENCE;
    my $read = $self->{socket}->sysread($self->{buffer}, 65536, length $self->{buffer});
    alarm 0;
    return $read;
}

sub socket ($self) { return $self->{socket} }

sub close ($self) {
    $self->{socket}->close;
    return;
}

1;

__END__

=head1 NAME

Test::Mesh::Client - a small HTTP/1.1 client that sends what it is told

=head1 SYNOPSIS

    my $client = Test::Mesh::Client->connect(port => 8080);
    my $response = $client->request('GET', '/', headers => ['X-A: 1', 'X-A: 2']);
    $response->{status}, $response->{headers}{'www-authenticate'}, $response->{body}

    my $tls = Test::Mesh::Client->connect(port => 8443, tls => {
        ca => 'ca.pem', cert => 'spiffe.pem', key => 'spiffe.key',
        sni => 'a.test', name => 'localhost',
        options => { SSL_version => 'TLSv1_2' },          # anything of IO::Socket::SSL
    });

=head1 DESCRIPTION

Header lines are sent as they are, in order, twice where they are given twice. C<send> writes raw
bytes, C<response> reads one response, C<rest> reads to the end of the connection. In a response,
values of one name are joined by a comma and C<head> is the text of the header. C<socket> is the
IO::Socket below.

=cut
