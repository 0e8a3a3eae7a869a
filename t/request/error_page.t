# An error page is reached where its location asks for nothing, with the challenge of the refusal;
# where it is protected, it is refused as the request was.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;

# Locations that refuse for three reasons, each with these error pages.
sub refusing ($name, $error_page) {
    my $location = "$error_page proxy_pass http://127.0.0.1:UPSTREAM;";
    return <<"END";
    location /$name { $location }
    location /$name/denied { mesh_require_claim /team data; $location }
    location /$name/limited { mesh_limit $name rate=1r/h key=\$arg_bucket; $location }
END
}

my $conf = <<'CONF' . join '',
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    add_header Reason $mesh_reason always;

    location = /page { mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location @page { mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /protected { mesh_require_claim /role page; proxy_pass http://127.0.0.1:UPSTREAM; }
    location @protected { mesh_require_claim /role page; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /elsewhere { mesh_accept other; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /once-more { error_page 401 /page; proxy_pass http://127.0.0.1:UPSTREAM; }
CONF
    refusing('open', 'error_page 401 403 429 /page;'),
    refusing('named', 'error_page 401 403 429 @page;'),
    refusing('ok', 'error_page 401 403 429 =200 /page;'),
    refusing('url', 'error_page 401 403 429 https://login.example/;'),
    refusing('protected', 'error_page 401 403 429 /protected;'),
    refusing('protected-named', 'error_page 401 403 429 @protected;'),
    refusing('elsewhere', 'error_page 401 403 429 = /elsewhere;'),
    refusing('again', 'recursive_error_pages on; error_page 401 /once-more;'),
    "}\n";
my $server = Test::Mesh::Server->start($conf =~ s/UPSTREAM/$upstream->port/ger);

sub forging ($target, @headers) {
    return $server->get($target, @headers, 'X-Mesh-Service: forged', 'X-Mesh-Any: forged');
}

my %challenge = (
    401 => 'Bearer realm="mesh", error="invalid_token", error_description="the token has expired"',
    403 => 'Bearer realm="mesh", error="insufficient_scope", '
        . 'error_description="a claim that this location requires does not hold"',
);

# The challenge of the scheme that was used; the other one stands behind it.
sub challenge ($response) {
    return ($response->{headers}{'www-authenticate'} // return undef) =~ s/, DPoP realm="mesh", algs="[\w ]+"\z//r;
}

# The refusals of a location, as sent by whom.
sub refusals ($name) {
    forging("/$name/limited?bucket=1", bearer());
    return (
        401 => forging("/$name", bearer(expires => '-1h')),
        403 => forging("/$name/denied", bearer()),
        429 => forging("/$name/limited?bucket=1", bearer()),
    );
}

my %reason = (401 => qr/^token_expired$/, 403 => qr/^claim_refused$/, 429 => qr/^limited$/);
for my $row (['open', undef], ['named', undef], ['ok', 200]) {
    my ($name, $replaced) = @$row;
    my %response = refusals($name);
    for my $status (sort keys %response) {
        my $response = $response{$status};
        is $response->{status}, $replaced // $status, "$name: the page of a $status is reached";
        is $response->{headers}{'x-upstream'}, 'yes', '... at its upstream';
        unlike $response->{body}, qr/^x.mesh/mi, '... which sees no identity';
        is challenge($response), $challenge{$status}, '... and the challenge is kept';
        like $response->{headers}{reason} // '', $reason{$status}, '... and so is the reason';
    }
    like $response{429}{headers}{'retry-after'}, qr/\A\d+\z/, '... and so is Retry-After';
    like $response{429}{headers}{ratelimit}, qr/\A"\Q$name\E";r=0;t=\d+\z/, '... and RateLimit';
}

my %url = refusals('url');
for my $status (sort keys %url) {
    is $url{$status}{status}, 302, "url: the page of a $status is elsewhere";
    is $url{$status}{headers}{location}, 'https://login.example/', '... as it says';
    ok !exists $url{$status}{headers}{'x-upstream'}, '... and nothing goes upstream';
}

for my $name ('protected', 'protected-named') {
    my %response = refusals($name);
    for my $status (sort keys %response) {
        ok !exists $response{$status}{headers}{'x-upstream'}, "$name: the page of a $status is refused, too";
        like $response{$status}{status}, qr/\A(?:401|403|429)\z/, '... as ' . $response{$status}{status};
    }
    is $response{401}{status}, 401, '... as the request was';
    is challenge($response{401}), $challenge{401}, '... with one challenge';

    my $page = forging("/$name/denied", bearer(claims => { role => 'page' }));
    is $page->{status}, 403, '... unless whoever was denied may see it';
    is_deeply [$page->{body} =~ /^X-Mesh-Service: (.*)\r$/mg], ['orders-api'], '... by name';
}

my $elsewhere = forging('/elsewhere', bearer(key => 'other', expires => '-1h'));
is $elsewhere->{status}, 401, 'an error page that believes other issuers believes no bad token';
# Valid at the second location and refused at the first: an error page can ask for other proof.
my $believed = forging('/elsewhere/denied', bearer(key => 'other'));
is $believed->{status}, 200, '... but its own';
is_deeply [$believed->{body} =~ /^X-Mesh-Issuer: (.*)\r$/mg], ['other'], '... by name';

my $again = forging('/again', bearer(expires => '-1h'));
is $again->{status}, 401, 'error pages may follow each other';
is $again->{headers}{'x-upstream'}, 'yes', '... up to the one that is open';
is challenge($again), $challenge{401}, '... with one challenge';

my $client = $server->connect;
is $client->request('POST', '/open', body => 'x' x 70_000)->{status}, 401, 'a refused body is read away';
is $client->request('GET', '/open', headers => [bearer()])->{status}, 200, '... and the connection goes on';
$client->close;

$server->stop;
done_testing;
