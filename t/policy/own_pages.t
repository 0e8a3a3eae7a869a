# What Nginx itself refuses is told in the shape that each platform's clients read, by the lines of
# nginx-conf/.

use v5.36;

use lib 't/lib';

use JSON::PP qw(decode_json);
use Test::More;

use Test::Mesh::Client;
use Test::Mesh::Example;

my $prefix = Test::Mesh::Example::new_prefix();

# The status and the message that a client reads in a body.
my %read = (
    'kafka-rest' => sub ($body, $) { return $body->@{qw(error_code message)} },
    databricks => sub ($body, $response) {
        like($response->{headers}{'x-databricks-error-or-redirect-message'} // '', qr/\Athe gateway refuses/,
            '... with the field that the SQL connector shows');
        is($body->{error_code}, 'BAD_REQUEST', '... with a word');
        return ($body->{message} =~ /\((\d+)\)/, $body->{message});
    },
    synapse => sub ($body, $) {
        is($body->{error}{code}, 'BadRequest', '... with a word');
        return ($body->{error}{message} =~ /\((\d+)\)/, $body->{error}{message});
    },
    'dbt-cloud' => sub ($body, $) {
        is_deeply([$body->{data}, $body->{status}{is_success}], [undef, JSON::PP::false()], '... as no success');
        return $body->{status}->@{qw(code user_message)};
    },
);

my %upstream = (
    'kafka-rest' => '127.0.0.1:8082', databricks => '10.20.0.4:443',
    synapse => '10.20.0.5:443', 'dbt-cloud' => '10.20.0.6:443',
);

# A target whose platform takes a body of a service.
my %target = (
    'kafka-rest' => '/topics/orders.v1', databricks => '/api/2.2/jobs/run-now',
    synapse => '/pipelines/load_a/createRun', 'dbt-cloud' => '/api/v2/accounts/1/jobs/22/run/',
);

# What a server answers to bytes, over TLS unless `plain`.
sub told ($example, $bytes, %options) {
    my ($port) = $example->host =~ /:(\d+)/;
    my $certificates = "$prefix/certificates";
    my %tls = (ca => "$certificates/ca.pem", cert => "$certificates/spiffe.pem", key => "$certificates/spiffe.key");
    my $client = Test::Mesh::Client->connect(port => $port, $options{plain} ? () : (tls => \%tls));
    my $response = $client->send($bytes)->response;
    $client->close;
    return $response;
}

my $long = 'x' x 30_000;
my $end = "Host: localhost\r\nConnection: close\r\n\r\n";
my %refused = (
    'a request that is none' => [400, "NOT A REQUEST\r\n$end"],
    'a request without a host' => [400, "GET / HTTP/1.1\r\n\r\n"],
    'two hosts' => [400, "GET / HTTP/1.1\r\nHost: other\r\n$end"],
    'two lengths' => [400, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n$end"],
    'a path that leaves the root' => [400, "GET /../../x HTTP/1.1\r\n$end"],
    'a long target' => [414, "GET /$long HTTP/1.1\r\n$end"],
    'a long field' => [400, "GET / HTTP/1.1\r\nX-Long: $long\r\n$end"],
    'no TLS' => [400, "GET / HTTP/1.1\r\n$end", plain => 1],
    'the page itself' => [404, "GET /gateway-page HTTP/1.1\r\n$end"],
    'a body past client_max_body_size' => [413, 'POST %TARGET% HTTP/1.1', "\r\nContent-Length: 99999999\r\n$end"],
    'such a body after 100-continue' => [413, 'POST %TARGET% HTTP/1.1', "\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n$end"],
);

for my $conf (sort keys %upstream) {
    subtest $conf => sub {
        my $example = Test::Mesh::Example->start(
            prefix => $prefix, conf => "$conf.conf", upstream => $upstream{$conf}, certificate => "$prefix/tls/upstream");
        for my $name (sort keys %refused) {
            my ($status, $bytes, @more) = $refused{$name}->@*;
            $bytes .= shift @more if @more % 2;
            my $response = told($example, $bytes =~ s/%TARGET%/$target{$conf}/r, @more);
            is($response->{status}, $status, "$name is $status");
            is($response->{headers}{'content-type'}, 'application/json', '... as JSON');
            my ($code, $message) = $read{$conf}->(eval { decode_json($response->{body}) } // {}, $response);
            is($code, $status, '... which tells the status');
            like($message, qr/\Athe gateway refuses .*; reference '[0-9a-f]{32}'\z/, '... with a reference for the log');
            is($response->{headers}{'retry-after'}, undef, '... and not to come again');
        }
        is_deeply([$example->heard], [], 'the platform hears nothing');
        $example->stop;
    };
}

subtest 'without the lines it is a page for browsers' => sub {
    my $example = Test::Mesh::Example->start(
        prefix => $prefix, conf => 'dbt-cloud.conf', upstream => $upstream{'dbt-cloud'}, certificate => "$prefix/tls/upstream",
        edit => sub ($text) { $$text =~ s/^ *error_page .*\n//mg or die });
    like(told($example, "GET /$long HTTP/1.1\r\n$end")->{headers}{'content-type'}, qr{\Atext/html}, 'a long target');
    $example->stop;
};

subtest 'a body that does not come' => sub {
    my $bytes = "POST $target{databricks} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n";
    my $late = sub ($lines) {
        my $example = Test::Mesh::Example->start(
            prefix => $prefix, conf => 'databricks.conf', upstream => $upstream{databricks}, certificate => "$prefix/tls/upstream",
            edit => sub ($text) { $$text =~ s/^    server \{\K/ $lines/m or die });
        my $token = $example->token(subject => 'nightly-etl');
        my $response = told($example, "${bytes}Authorization: Bearer $token\r\n$end");
        $example->stop;
        return $response;
    };
    my $response = $late->('mesh_body_timeout 1s;');
    is($response->{status}, 408, 'the module tells so');
    is(decode_json($response->{body})->{error_code}, 'DEADLINE_EXCEEDED', '... as clients read it');
    is($late->('client_body_timeout 1s;'), undef, 'Nginx itself only ends the connection');
};

done_testing;
