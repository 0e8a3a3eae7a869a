package Test::Mesh::Body;

use v5.36;

use Exporter qw(import);

use Test::Mesh::Credentials;

our @EXPORT = qw(arrived_body chunks head send_slowly wait_for_100);

# The head of a request with a token; a header line that is undef is none.
sub head ($line, $token, @headers) {
    return join "\r\n", "$line HTTP/1.1", 'Host: localhost', bearer_of($token), grep({ defined } @headers), '', '';
}

# A body in chunks of that size, with the last one.
sub chunks ($body, $size = 7) {
    return join '', map({ sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", $body), "0\r\n\r\n";
}

# Each byte in a packet of its own, as far as that is up to us.
sub send_slowly ($client, $bytes) {
    $client->send($_) for split //, $bytes;
    return $client;
}

# Waits until the server asks for the body of a request that has `Expect: 100-continue`: from then on it
# waits for it.
sub wait_for_100 ($client) {
    return defined $client->take(qr/\AHTTP\/1\.1 100 Continue\r\n\r\n/);
}

# The body that an upstream answers with that echoes all (see Test::Mesh::Upstream).
sub arrived_body ($response) { return ($response->{body} // '') =~ s/\A.*?\r\n\r\n//sr }

1;

__END__

=head1 NAME

Test::Mesh::Body - requests with bodies, in pieces

=head1 SYNOPSIS

    my $client = $server->connect;
    $client->send(head('POST /jobs/run-now', token(), 'Expect: 100-continue', 'Transfer-Encoding: chunked'));
    ok wait_for_100($client), 'the body is waited for';
    send_slowly($client, chunks('{"job_id":42}'));
    is arrived_body($client->response), '{"job_id":42}';

=cut
