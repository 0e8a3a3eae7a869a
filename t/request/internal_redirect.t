# An internal redirect under the same settings is verified and charged once, under others verified
# anew, and everywhere decided anew; what a location exports goes no further than it says.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
mesh_claim $team /team;
server {
    listen 127.0.0.1:%%PORT%%;
    root %%ROOT%%;
    mesh_authenticate token;
    mesh_accept idp;
    mesh_limit calls rate=1r/h burst=9 key=$arg_bucket;
    add_header X-Remaining $mesh_limit_remaining always;
    add_header Reason $mesh_reason always;
    add_header X-Service $mesh_service always;

    # The ways there: a prefix each. The rest of the path is where to.
    location /rewrite { rewrite ^/rewrite(.*) $1 last; }
    location ~ ^/try(?<to>/.*) { try_files /none $to?$args; }
    location ~ ^/missing(?<to>/.*) { root %%ROOT%%/none; error_page 404 =200 $to?$args; }
    location ~ ^/accel(?<to>/.*) { proxy_pass http://127.0.0.1:%%PORT:accel%%$to?$args; }
    location = /index/ { index none.html /same; }

    location /same { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /forward { mesh_forward_credential on; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /no-export { mesh_export off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /audience { mesh_accept idp audience=mesh; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /other-audience { mesh_accept idp audience=lake; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /other-issuer { mesh_accept other; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /any { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /team { mesh_require_claim /team data; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /tighter { mesh_limit tight rate=1r/h key=$arg_bucket; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /off { mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }

    # From locations that would refuse, or that do not ask.
    location /open { mesh_authenticate off; try_files /none /same?$args; }
    location /from-team { mesh_require_claim /team data; try_files /none /same?$args; }
    location /from-other { mesh_accept other; try_files /none /same?$args; }
    # A second redirect.
    location /twice { try_files /none /off-twice?$args; }
    location /off-twice { mesh_authenticate off; try_files /none /same?$args; }
}
server {
    listen 127.0.0.1:%%PORT:accel%%;
    add_header X-Accel-Redirect $uri?$args;
    location / { return 200; }
}
CONF

mkdir $server->root . '/index';

my $bucket = 0;
my $token = bearer(claims => { team => 'data' });
my $other_team = bearer(claims => { team => 'shop' });

sub paying ($target, @headers) {
    my $join = $target =~ /\?/ ? '&' : '?';
    return $server->get("$target${join}bucket=" . ++$bucket, @headers, 'X-Mesh-Service: forged');
}

my $direct = paying('/same', $token);
is $direct->{status}, 200, 'without a redirect';
my $remaining = $direct->{headers}{'x-remaining'};
is $remaining, 9, '... a request costs one';

for my $way ('/rewrite', '/try', '/missing', '/accel') {
    my $response = paying("$way/same", $token);
    is $response->{status}, 200, "by $way to the same settings";
    is_deeply [arrived($response, 'X-Mesh-Service')], ['orders-api'], '... with one identity';
    is_deeply [arrived($response, 'Authorization')], [], '... and no credential';
    is $response->{headers}{'x-remaining'}, $remaining, '... for the same price';

    is paying("$way/same")->{status}, 401, '... and not without a credential';
    is paying("$way/same", bearer(expires => '-1h'))->{status}, 401, '... nor with a bad one';

    $response = paying("$way/off", $token);
    is $response->{status}, 200, "by $way to a location that does not ask";
    is_deeply [arrived($response, 'X-Mesh-Service')], [], '... which exports nothing';
    is $response->{headers}{'x-service'}, undef, '... and knows nobody';

    $response = paying("$way/no-export", $token);
    is $response->{status}, 200, "by $way to a location that does not export";
    is_deeply [arrived($response, 'X-Mesh-Service')], [], '... which does not';

    for my $target ('/audience', '/any') {
        $response = paying("$way$target", $token);
        is $response->{status}, 200, "by $way to $target, where the credential verifies too";
        is_deeply [arrived($response, 'X-Mesh-Service')], ['orders-api'], '... with one identity';
        is $response->{headers}{'x-remaining'}, $remaining, '... for the same price';
    }
    for my $row (['/other-audience', 'audience_refused'], ['/other-issuer', 'issuer_refused']) {
        my ($target, $reason) = @$row;
        $response = paying("$way$target", $token);
        is $response->{status}, 401, "by $way to $target, where it does not";
        is $response->{headers}{reason}, $reason, '... for that reason';
        is $response->{headers}{'x-service'}, undef, '... and nobody is known there';
        ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
    }

    is paying("$way/team", $token)->{status}, 200, "by $way to what the identity may see";
    $response = paying("$way/team", $other_team);
    is $response->{status}, 403, '... and not to what it may not';
    is $response->{headers}{reason}, 'claim_refused', '... for that reason';
}

my $index = paying('/index/', $token);
is $index->{status}, 200, 'by an index file';
is_deeply [arrived($index, 'X-Mesh-Service')], ['orders-api'], '... with one identity';

my $forwarded = paying('/rewrite/forward', $token);
is_deeply [arrived($forwarded, 'Authorization')], [$token =~ s/^Authorization: //r],
    'a rewrite to a location that forwards the credential, forwards it';

is paying('/open', $token)->{status}, 200, 'from a location that does not ask, to one that does';
is paying('/open')->{status}, 401, '... which then asks';
is paying('/from-other', $token)->{status}, 401, 'a refusal before the redirect is one';
is paying('/from-other', bearer(key => 'other'))->{status}, 401, '... as is one after it';
is paying('/from-team', $token)->{status}, 200, 'and so is a denial';
is paying('/from-team', $other_team)->{status}, 403, '... which no redirect undoes';

my $twice = paying('/twice', $token);
is $twice->{status}, 200, 'back to the first settings over a location that does not ask';
is_deeply [arrived($twice, 'X-Mesh-Service')], ['orders-api'], '... with one identity';
is $twice->{headers}{'x-remaining'}, $remaining, '... for the same price';

my $query = '/try/tighter?bucket=shared';
is $server->get($query, $token)->{status}, 200, 'a limit of the second location is charged as well';
is $server->get($query, $token)->{status}, 429, '... and refuses';
is $server->get('/same?bucket=shared', $token)->{headers}{'x-remaining'}, $remaining - 2,
    '... and the first was charged for both';

# A keepalive connection: what one request left is nothing to the next.
my $client = $server->connect;
is $client->request('GET', '/try/audience?bucket=k1', headers => [$token])->{status}, 200, 'first with a credential';
is $client->request('GET', '/try/audience?bucket=k2')->{status}, 401, '... then without, on the same connection';
$client->close;

$server->stop;
done_testing;
