# A token stands where mesh_token_source says, in one place alone, and goes no further than it should.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
underscores_in_headers on;
ignore_invalid_headers off;
server {
    listen 127.0.0.1:%%PORT%%;
    root %%ROOT%%;
    add_header Reason $mesh_reason always;
    mesh_authenticate token;
    location /default { proxy_pass %%UPSTREAM%%; }
    location /header { mesh_token_source header X-Token; proxy_pass %%UPSTREAM%%; }
    location /cookie {
        mesh_token_source cookie session;
        proxy_set_header Seen "[$http_cookie] [$cookie_session] [$cookie_theme]";
        proxy_pass %%UPSTREAM%%;
    }
    location /proof { mesh_token_source cookie session; mesh_dpop accept; proxy_pass %%UPSTREAM%%; }
    location /three {
        mesh_token_source authorization header x-token;
        mesh_token_source cookie session;
        proxy_pass %%UPSTREAM%%;
        location /three/inherited { proxy_pass %%UPSTREAM%%; }
        location /three/replaced { mesh_token_source authorization; proxy_pass %%UPSTREAM%%; }
    }
    location /scheme { mesh_token_source authorization authorization=Token; proxy_pass %%UPSTREAM%%; }
    location /any { mesh_authenticate any; mesh_token_source header x-token; proxy_pass %%UPSTREAM%%; }
    location /on {
        mesh_token_source header x-token cookie session;
        mesh_forward_credential on;
        proxy_pass %%UPSTREAM%%;
    }
    location /open { mesh_authenticate off; proxy_pass %%UPSTREAM%%; }

    # Redirects: the rest of the path is where to.
    location ~ ^/from-header(?<to>/.*) { mesh_token_source header x-token; try_files /none $to; }
    location ~ ^/from-cookie(?<to>/.*) { mesh_token_source cookie session; try_files /none $to; }
    location ~ ^/from-both(?<to>/.*) { mesh_token_source header x-token cookie session; try_files /none $to; }
}
CONF

my $token = token();
my $other = token(subject => 'somebody-else');
my $bad = token(expires => '-1h');

# The verdict; or the service, and what arrived in the named fields.
sub left_over ($target, @headers) {
    my $response = $server->get($target, @headers);
    return verdict($response) if !$response->{headers}{'x-upstream'};
    my @arrived = map { my $name = $_; map { "$name: $_" } arrived($response, $name) }
        qw(authorization x-token cookie);
    my ($service) = arrived($response, 'X-Mesh-Service');
    return join ' | ', $service // '-', map { s/\Q$token\E/TOKEN/gr =~ s/\Q$bad\E/BAD/gr } @arrived;
}

subtest 'by default in Authorization alone' => sub {
    is left_over('/default', "Authorization: Bearer $token"), 'orders-api', 'a token there';
    is left_over('/default', "X-Token: $token"), '401 credential_missing', 'and nowhere else';
    is left_over('/default', "Cookie: session=$token"), '401 credential_missing', '... not in a cookie';
    is left_over('/default', "Authorization: Bearer $token", "X-Token: $bad", "Cookie: session=$bad"),
        'orders-api | x-token: BAD | cookie: session=BAD', 'what is not named is not read';
};

subtest 'in a field' => sub {
    is left_over('/header', "X-Token: $token"), 'orders-api', 'a token alone, which does not go upstream';
    is left_over('/header', "x-tOKEN:   Bearer  $token "), 'orders-api', '... or behind Bearer';
    is left_over('/header', "Authorization: Bearer $token"), '401 credential_missing', 'not where it was before';
    is left_over('/header', "Authorization: Basic dTpw", "X-Token: $token"), 'orders-api | authorization: Basic dTpw',
        'what is not named goes on';
    is left_over('/header', "X_Token: $token"), 'orders-api', 'a name that many platforms take for it is it';
    is left_over('/header', "X-Token: $token", "X_Token: $other"), '400 credential_conflict', '... and no second token goes by under it';
    is left_over('/header', "X.Token: $token"), '400 credential_conflict', 'a name that $http_x_token does not show is none, nor does it go by';
    is left_over('/header', "X-Token: $token", "X.Token: $token"), '400 credential_conflict', '... beside the right one';
    is left_over('/header', "X-Tokens: $token"), '401 credential_missing', 'another name is another field';
    is left_over('/header', "X-Token: $bad"), '401 token_expired', 'a bad one is refused';
    is left_over('/header', "X-Token: $_"), '401 token_malformed', "no token: $_" for '', 'Bearer', "Basic dTpw", "$token,$token", "$token $token";
    is left_over('/header', "X-Token: $token", "X-Token: $token"), '400 credential_conflict', 'twice is a conflict';
    is left_over('/header', "X-Token: $token", "x-token:"), '400 credential_conflict', '... be one of them empty';
    is left_over('/any', "X-Token:"), '401 token_malformed', 'an empty one is not absent';
};

subtest 'behind a scheme of its own' => sub {
    is left_over('/scheme', "Authorization: Token $token"), 'orders-api', 'the token does not go upstream';
    is left_over('/scheme', "Authorization: token $token"), 'orders-api', 'in any case of letters';
    is left_over('/scheme', "Authorization: Bearer $token"), 'orders-api', 'Bearer is named beside it';
    is left_over('/default', "Authorization: Token $token"), '401 credential_missing', 'where it is not named it is none';
    is left_over('/scheme', "Authorization: Token $bad"), '401 token_expired', 'a bad one is refused';
    is left_over('/scheme', 'Authorization: Token'), '401 token_malformed', 'none behind it';
    like left_over('/scheme', "Authorization: Token $token", "Authorization: Bearer $token"), qr/^400/, 'two fields';
};

subtest 'a place that is not named does not change what a refused client is told' => sub {
    my ($alone, $beside) = map { $server->get('/proof', "Cookie: session=$bad", @$_)->{headers}{'www-authenticate'} }
        [], ['Authorization: DPoP abc'];
    like $alone, qr/error="invalid_token"/;
    is $beside, $alone, 'whatever is in Authorization';
};

subtest 'in a cookie' => sub {
    is left_over('/cookie', "Cookie: session=$token"), 'orders-api', 'the only cookie: the field goes';
    is left_over('/cookie', "Cookie: theme=dark; session=$token; lang=de"), 'orders-api | cookie: theme=dark; lang=de',
        'one of three: its neighbours stay';
    is left_over('/cookie', "Cookie: session=$token;theme=\"a b\""), 'orders-api | cookie: theme="a b"', '... as they are';
    my $seen = $server->get('/cookie', "Cookie: theme=dark; session=$token");
    like $seen->{body}, qr/^Seen: \[theme=dark; session=\Q$token\E\] \[\Q$token\E\] \[dark\]\r$/m,
        'the variables of Nginx show what came';
    $seen = $server->get('/cookie', "Cookie: session=$token");
    like $seen->{body}, qr/^Seen: \[session=\Q$token\E\] \[\Q$token\E\] \[\]\r$/m, '... and nothing else';
    is left_over('/cookie', "Cookie: Session=$token; sessions=$token"), '401 credential_missing', 'the name is exact';
    is left_over('/cookie', 'Cookie: theme=dark'), '401 credential_missing', 'other cookies are none';
    is left_over('/cookie', "Cookie: session=$bad"), '401 token_expired', 'a bad one is refused';
    is left_over('/cookie', "Cookie: $_"), '401 token_malformed', "no token: $_" for 'session=', 'session', qq(session="$token");
    is left_over('/cookie', "Cookie: session=$token; session=$token"), '400 credential_conflict', 'twice is a conflict';
    is left_over('/cookie', "Cookie: session=$token; a=\"; session=$other\""), '400 credential_conflict', '... in quotes too';
    is left_over('/cookie', "Cookie: session=$token", "Cookie: session=$other"), '400 credential_conflict', '... in two fields';
    is left_over('/cookie', "Cookie: session=$token; \x0bsession=$other"), '400 credential_conflict', '... behind what some take for white space';
    is left_over('/cookie', "Cookie: session=$token", "Cookie: theme=dark"), '400 credential_conflict',
        'and two fields are one too many';
};

subtest 'in one of several places' => sub {
    my %place = (authorization => "Authorization: Bearer $token", header => "X-Token: $token", cookie => "Cookie: session=$token; a=1");
    for my $target ('/three', '/three/inherited') {
        is left_over($target, $place{$_}), $_ eq 'cookie' ? 'orders-api | cookie: a=1' : 'orders-api', "$target: $_" for sort keys %place;
        for my $pair (['authorization', 'header'], ['authorization', 'cookie'], ['cookie', 'header']) {
            is left_over($target, @place{@$pair}), '400 credential_conflict', "$target: @$pair";
        }
        is left_over($target, 'Authorization: Basic dTpw', $place{header}), 'orders-api | authorization: Basic dTpw',
            'another scheme is no token';
        is left_over($target, 'Cookie: a=1', $place{header}), 'orders-api | cookie: a=1', 'nor is another cookie';
    }
    is left_over('/three/replaced', $place{header}), '401 credential_missing', 'a list is replaced as a whole';
};

subtest 'on the way upstream' => sub {
    is left_over('/on', "X-Token: Bearer $token"), 'orders-api | x-token: Bearer TOKEN', 'a field goes where that is asked for';
    is left_over('/on', "Cookie: a=1;session=$token"), 'orders-api | cookie: a=1;session=TOKEN', '... and a cookie, byte by byte';
    is left_over('/from-header/header', "X-Token: $token"), 'orders-api', 'a redirect finds the field again, which is gone';
    is left_over('/from-header/on', "X-Token: $token"), 'orders-api | x-token: TOKEN', '... and one back that passes it on';
    is left_over('/from-cookie/cookie', "Cookie: a=1; session=$token"), 'orders-api | cookie: a=1', 'and the cookie';
    is left_over('/from-cookie/on', "Cookie: a=1; session=$token"), 'orders-api | cookie: a=1; session=TOKEN', '... which comes back';
    is left_over('/from-cookie/on', "Cookie: session=$token"), 'orders-api | cookie: session=TOKEN', '... alone too';
    is left_over('/from-both/open', "Cookie: a=1; session=$token"), '- | cookie: a=1', 'an open location does not get it back';
    is left_over('/from-cookie/default', "Cookie: session=$token"), '401 credential_missing', 'another place is another question';
    is left_over('/from-cookie/three', "Cookie: session=$token", "X-Token: $token"), '400 credential_conflict',
        'and what was removed counts as sent';
};

subtest 'on one connection' => sub {
    my $client = $server->connect;
    for (1 .. 3) {
        is verdict($client->request('GET', '/cookie', headers => ["Cookie: session=$token; n=$_"])), '200', "with a cookie, $_";
        is verdict($client->request('GET', '/cookie', headers => ["Cookie: n=$_"])), '401 credential_missing', '... and without';
    }
    $client->close;
};

is scalar(grep { index($server->error_log, $_) >= 0 } $token, $bad, $other), 0, 'the log holds no token';
$server->stop;
$upstream->stop;

subtest 'lines that are refused' => sub {
    for (
        ['', 'invalid number of arguments'],
        ['query token', 'mesh_token_source: "query" is not authorization, header name, cookie name or websocket'],
        ['off', 'mesh_token_source: "off" is not authorization'],
        ['authorization=bearer', 'mesh_token_source: "authorization=bearer" is what "authorization" reads'],
        (map { [$_, qq(mesh_token_source: "$_" is not authorization=scheme)] } qw(authorization= authorization=basic)),
        ['header', 'mesh_token_source: "" is not the name of a header'],
        ['cookie "a b"', 'mesh_token_source: "a b" is not the name of a cookie'],
        ['cookie a=b', 'mesh_token_source: "a=b" is not the name of a cookie'],
        ['header x-a header X-A', 'mesh_token_source: names a place twice'],
        ['header x-a header x_a', 'mesh_token_source: names a place twice'],
        ['authorization authorization', 'mesh_token_source: names a place twice'],
        [join(' ', map { "cookie c$_" } 1 .. 9), 'invalid number of arguments'],
        (map { ["header $_", 'has another meaning'] } qw(X-Mesh-Token x_mesh_token X.MESH-Service Authorization
            Cookie Host User_Agent If-Match Content-Length X-Forwarded-For)),
    ) {
        my ($words, $message) = @$_;
        refused_at("mesh_token_source $words; # here\n", $message, "mesh_token_source $words");
    }
    refused_at("mesh_token_source authorization;\nmesh_token_source authorization; # here\n",
        'mesh_token_source: names a place twice');
};

done_testing;
