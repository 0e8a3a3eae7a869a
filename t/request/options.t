# No method is exempt: whatever a client calls its request, it says who it is.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /claim { mesh_require_claim /team data; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /limited { mesh_limit calls rate=1r/h burst=1 key=$request_method; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my @preflight = (
    'Origin: https://app.example', 'Access-Control-Request-Method: GET',
    'Access-Control-Request-Headers: authorization',
);
my @requests = (
    map({ [$_] } qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND REPORT PURGE QUERY FOO M-SEARCH X_Y_Z)),
    ['OPTIONS', @preflight],
    ['POST', 'X-HTTP-Method-Override: OPTIONS'],
    ['GET', 'X-HTTP-Method: OPTIONS'],
    ['GET', 'Upgrade: websocket', 'Connection: upgrade'],
);
for my $row (@requests) {
    my ($method, @headers) = @$row;
    my $what = join ', ', $method, map { s/,.*//r } @headers;
    my @options = (headers => \@headers, $method =~ /^(?:POST|PUT|PATCH)/ ? (body => 'x') : ());

    my $response = $server->request($method, '/', @options);
    is $response->{status}, 401, "$what without a credential";
    like $response->{headers}{'www-authenticate'}, qr/\ABearer realm="mesh", DPoP /, '... is asked for one';
    ok !exists $response->{headers}{'x-upstream'}, '... and goes nowhere';

    is $server->request($method, '/', @options, headers => [@headers, bearer(expires => '-1h')])->{status}, 401,
        '... nor with a bad one';
    is $server->request($method, '/claim', @options, headers => [@headers, bearer()])->{status}, 403,
        '... nor where its claims are not enough';

    $response = $server->request($method, '/', @options, headers => [@headers, bearer()]);
    is $response->{status}, 200, '... but with a good one';
    next if $method eq 'HEAD';
    like $response->{body}, qr{\A\Q$method\E / HTTP/1\.0\r\n}, '... as itself';
    is_deeply [$response->{body} =~ /^X-Mesh-Service: (.*)\r$/mg], ['orders-api'], '... with an identity';
}

# The limit's key is the method, which a HEAD shows to be a HEAD.
for my $method (qw(HEAD OPTIONS FOO)) {
    my @status = map { $server->request($method, '/limited', headers => [bearer()])->{status} } 1 .. 3;
    is_deeply \@status, [200, 200, 429], "$method is limited";
}

for my $method (qw(TRACE CONNECT)) {
    for my $credential ([], [bearer()]) {
        my $response = $server->request($method, '/', headers => $credential);
        is $response->{status}, 405, "$method is Nginx's own to refuse";
        ok !exists $response->{headers}{'x-upstream'}, '... and goes nowhere';
    }
}
for my $line ('get / HTTP/1.1', 'G?T / HTTP/1.1', 'GET  HTTP/1.1') {
    my $answer = $server->raw("$line\r\nHost: a\r\n\r\n");
    like $answer, qr/400 Bad Request/, "what is no method is refused by Nginx: $line";
    unlike $answer, qr/X-Upstream/, '... and goes nowhere';
}
unlike $server->raw("GET /\r\n"), qr/^GET/m, 'HTTP/0.9 is no way around it';

$server->stop;
done_testing;
