# The credential stays here, unless mesh_forward_credential lets a verified token go upstream.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    add_header Reason $mesh_reason always;
    location /default { mesh_authenticate token; proxy_pass %%UPSTREAM%%; }
    location /set { mesh_authenticate token; proxy_set_header Authorization "Basic dTpw"; proxy_pass %%UPSTREAM%%; }
    location /variable { mesh_authenticate token; proxy_set_header Seen "[$http_authorization]"; proxy_pass %%UPSTREAM%%; }
    location /any { mesh_authenticate any; proxy_pass %%UPSTREAM%%; }
    location /open { proxy_pass %%UPSTREAM%%; }
    location /dry { mesh_authenticate token; mesh_dry_run all; proxy_pass %%UPSTREAM%%; }
    location /on/ {
        mesh_forward_credential on;
        mesh_authenticate token;
        proxy_pass %%UPSTREAM%%;
        location /on/off { mesh_forward_credential off; proxy_pass %%UPSTREAM%%; }
        location /on/inner { proxy_pass %%UPSTREAM%%; }
    }
}
CONF

# The Authorization that arrived, and the other fields about it.
sub passed_on ($response) {
    return verdict($response) if !$response->{headers}{'x-upstream'};
    my @values = arrived($response, 'Authorization');
    my ($service) = arrived($response, 'X-Mesh-Service');
    return join ' | ', $service // '-', @values ? @values : '-';
}

my $token = token();
my $header = "Authorization: Bearer $token";

is passed_on($server->get('/default', $header)), 'orders-api | -', 'by default it does not go upstream';
is passed_on($server->get('/default', "aUTHORIZATION: bearer   $token ")), 'orders-api | -', '... however it is spelled';
is passed_on($server->get('/set', $header)), 'orders-api | Basic dTpw', 'another one may go in its place';
like $server->get('/variable', $header)->{body}, qr/^Seen: \[Bearer \Q$token\E\]\r$/m, 'a variable that is named shows what came';
is passed_on($server->get('/on/', $header)), "orders-api | Bearer $token", 'with on it goes, byte by byte';
is passed_on($server->get('/on/inner', $header)), "orders-api | Bearer $token", '... also where that is inherited';
is passed_on($server->get('/on/off', $header)), 'orders-api | -', '... and off takes it back';
my $large = token(claims => { pad => 'x' x 9_000 });
is passed_on($server->get('/on/', "Authorization: Bearer $large")), "orders-api | Bearer $large", 'a large one goes too';
is passed_on($server->get('/on/', bearer(expires => '-1h'))), '401 token_expired', 'a bad one does not go anywhere';

is passed_on($server->get('/open', $header)), "- | Bearer $token", 'an open location leaves it alone';
is passed_on($server->get('/dry', $header)), 'orders-api | -', 'a dry run takes a good one as ever';
is passed_on($server->get('/dry', bearer(expires => '-1h'))) =~ s/Bearer \S+/Bearer .../r, '- | Bearer ...',
    '... and leaves a bad one to the upstream, as it did before';

subtest 'beside a certificate' => sub {
    my $request = sub (@headers) { return passed_on($server->get_as('spiffe', '/any', @headers)) };
    is $request->($header), 'orders-api | -', 'a token does not go upstream';
    is $request->('Authorization: Basic dTpw'), 'spiffe://prod.example/ns/shop/sa/orders-api | Basic dTpw',
        'what is no token is not ours to take';
};

subtest 'what stands beside it' => sub {
    my $client = $server->connect;
    for my $count (1, 5, 40) {
        my @others = map { "X-Other-$_: $_" } 1 .. $count;
        my $response = $client->request('GET', '/default', headers => [@others, $header, @others]);
        is passed_on($response), 'orders-api | -', "among $count headers on each side";
        is scalar(() = $response->{body} =~ /^X-Other-\d+: \d+\r$/mg), 2 * $count, '... which all arrive';
    }
    is passed_on($client->request('GET', '/default')), '401 credential_missing', 'the next request has none';
    $client->close;
};

$server->stop;
$upstream->stop;

done_testing;
