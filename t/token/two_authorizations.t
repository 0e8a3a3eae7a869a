# Two Authorization fields are refused, whatever they are: nobody may choose which one is meant.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    %%TLS%%
    ssl_verify_client optional;
    add_header Reason $mesh_reason always;
    add_header Service $mesh_service always;

    location /token { mesh_authenticate token; proxy_pass UPSTREAM; }
    location /any { mesh_authenticate any; proxy_pass UPSTREAM; }
    location /both { mesh_authenticate token certificate; proxy_pass UPSTREAM; }
    location /certificate { mesh_authenticate certificate; proxy_pass UPSTREAM; }
    location /satisfy {
        satisfy any;
        allow all;
        mesh_authenticate token;
        proxy_pass UPSTREAM;
    }
}
CONF

my %values = (
    'a good token' => 'Bearer ' . token(),
    'another good token' => 'Bearer ' . token(subject => 'etl'),
    'an expired token' => 'Bearer ' . token(expires => '-1h'),
    'a token of other keys' => 'Bearer ' . token(key => 'other', issuer => 'https://idp.example'),
    'Basic' => 'Basic dTpw',
    'Bearer alone' => 'Bearer',
    'a short one' => 'B',
    'an empty one' => '',
);

# Nginx itself refuses them while it reads the header, in 1.22 and in 1.28; a module that has to
# answer instead would say so by a reason. Either way nobody is authenticated and nothing arrives.
sub is_conflict ($response) {
    my $headers = $response->{headers};
    return verdict($response) =~ /\A400(?: credential_conflict)?\z/
        && !grep { defined $headers->{$_} } qw(service x-upstream);
}

sub conflict ($name, $response) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(is_conflict($response), $name) || diag($response->{head});
}

for my $first (sort keys %values) {
    for my $second (sort keys %values) {
        my @headers = map { "Authorization: $values{$_}" } $first, $second;
        conflict("$first, then $second", $server->get('/token', @headers));
    }
}

my @good = ("Authorization: $values{'a good token'}") x 2;

conflict("under mesh_authenticate $_", $server->get("/$_", @good)) for qw(any both);
conflict('three fields', $server->get('/token', @good, $good[0]));
conflict('names in other cases', $server->get('/token', $good[0], $good[1] =~ s/^Authorization/aUTHORIZATION/r));
conflict('other fields between', $server->get('/token', $good[0], (map { "X-$_: $_" } 1 .. 40), $good[1]));
conflict('no other module is asked under satisfy any', $server->get('/satisfy', @good));
conflict($_, $server->request($_, '/token', headers => \@good)) for qw(OPTIONS POST DELETE HEAD);

subtest 'a certificate does not help' => sub {
    is verdict($server->get_as('spiffe', '/any')), '200', 'without a token it is enough';
    conflict("but not at $_ beside two of them", $server->get_as('spiffe', $_, @good)) for '/any', '/both', '/certificate';
};

subtest 'HTTP/2' => sub {
    my $curl = sub (@headers) {
        return curl(qw(--http2-prior-knowledge -o /dev/null -w %{http_code}), (map { ('-H', $_) } @headers),
            'http://127.0.0.1:' . $server->port('h2') . '/token');
    };
    is $curl->($good[0]), 200, 'one is admitted';
    is $curl->(@good), 400, 'two are refused';
};

is verdict($server->get('/token', $good[0])), '200', 'the next one is judged by its own field';
is verdict($server->get('/token')), '401 credential_missing', '... or by none';

$server->stop;
$upstream->stop;

done_testing;
