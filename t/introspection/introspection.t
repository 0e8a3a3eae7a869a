# An opaque token is what its issuer says of it: asked once, remembered for a while, checked on
# every request.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Introspector;
use Test::Mesh::Load qw(request_bytes);
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::Wait;

my $dir = tempdir('introspection-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
spew("$dir/secret", "s3cr3t-of-ours\n");

# What the issuer says beyond or instead of the ordinary, by token.
my %said = (
    'no-audience' => { aud => undef },
    'other-audience' => { aud => 'other' },
    'other-issuer' => { iss => 'https://other.example' },
    'no-issuer' => { iss => undef },
    'no-exp' => { exp => undef },
    'expired' => { exp => 1 },
    'early' => { nbf => 4_000_000_000 },
    'nameless' => { sub => undef },
    'refresh' => { token_use => 'refresh_token' },
    'bound' => { cnf => { 'x5t#S256' => x5t('spiffe') } },
    'key' => { cnf => { jkt => claims_of(bound())->{cnf}{jkt} } },
    'text' => { active => 'true' },
);
my $issuer = Test::Mesh::Introspector->start(answer => sub ($question, $mode) {
    my $token = $question->{form}{token};
    my %claims = (Test::Mesh::Introspector::facts($token)->%*, ($said{$token} // {})->%*);
    delete @claims{ grep { !defined $claims{$_} } keys %claims };
    return 'application/json; charset=utf-8', \%claims;
});
my $upstream = Test::Mesh::Upstream->start;
my $conf = <<"CONF" . <<'CONF' =~ s/UPSTREAM/$upstream->port/ger;
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
    groups_claim /groups;
    introspection @{[$issuer->url]};
    introspection_client gateway secret=$dir/secret;
    introspection_cache 1h;
    introspection_negative 1h;
    introspection_timeout 20s;
}
CONF
mesh_issuer other {
    issuer https://other.example;
    audience mesh;
    jwks %%KEYS%%/other.jwks;
}
add_header Reason $mesh_reason always;
add_header X-Service $mesh_service always;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /other { mesh_accept other; empty_gif; }
    location /strict { mesh_require_claim /sub orders-api; empty_gif; }
    location /dry { mesh_dry_run all; empty_gif; }
    location /limited { mesh_limit calls rate=1r/h; empty_gif; }
    location /failures { mesh_failure_limit rate=1r/h burst=1; empty_gif; }
    location /moved { error_page 403 = /; mesh_require_claim /sub nobody; empty_gif; }
    location /open { mesh_authenticate off; empty_gif; }
}
server {
    %%TLS%%
    ssl_verify_client optional;
    location / { mesh_authenticate token; empty_gif; }
}
CONF
my $server = Test::Mesh::Server->start($conf);

subtest 'a token that is active' => sub {
    my $response = $server->get('/', bearer_of('orders-api'));
    is verdict($response), '200', 'is admitted';
    like $response->{body}, qr/^X-Mesh-Service: orders-api\r$/m, '... and the upstream sees its service';
    like $response->{body}, qr/^X-Mesh-Issuer: idp\r$/m, '... its issuer';
    like $response->{body}, qr/^X-Mesh-Groups: \["data-eng"\]\r$/m, '... and its groups';
    unlike $response->{body}, qr/Authorization/, '... and not the token';
    is verdict($server->get('/', bearer_of('orders-api'))), '200', 'is known from then on' for 1 .. 3;
    is $issuer->counts->{'orders-api'}, 1, '... so that its issuer is asked once';
    my ($question) = $issuer->questions;
    is $question->{line}, 'POST /introspect HTTP/1.1', 'the question';
    is $question->{authorization}, 'Basic Z2F0ZXdheTpzM2NyM3Qtb2Ytb3Vycw==', '... proves who asks';
    is $question->{accept}, 'application/json', '... says what is understood';
    is_deeply $question->{form}, { token => 'orders-api', token_type_hint => 'access_token' }, '... and asks';
};

subtest 'a token that is not' => sub {
    my $response = $server->get('/', bearer_of('inactive'));
    is verdict($response), '401 token_inactive', 'is refused';
    like $response->{headers}{'www-authenticate'},
        qr/\ABearer realm="mesh", error="invalid_token", error_description="the token's issuer says that it is not active", DPoP /,
        '... with a challenge';
    is verdict($server->get('/', bearer_of('inactive'))), '401 token_inactive', '... again';
    is $issuer->counts->{inactive}, 1, '... and its issuer is asked once';
};

subtest 'what is said is checked, on each request' => sub {
    my %verdict = (
        'no-audience' => '401 audience_refused', 'other-audience' => '401 audience_refused',
        'other-issuer' => '401 issuer_refused', 'no-issuer' => '200', 'no-exp' => '200',
        'expired' => '401 token_expired', 'early' => '401 token_not_yet_valid',
        'nameless' => '401 service_missing', 'refresh' => '401 type_refused',
        'bound' => '401 binding_mismatch', 'text' => '503 introspection_unavailable',
    );
    for my $token (sort keys %verdict) {
        is verdict($server->get('/', bearer_of($token))), $verdict{$token}, $token for 1, 2;
    }
    is verdict($server->get('/strict', bearer_of('orders-api'))), '200', 'a claim that is required';
    is verdict($server->get('/strict', bearer_of('etl'))), '403 claim_refused', '... or does not hold';
    is verdict($server->get('/other', bearer_of('orders-api'))), '401 token_malformed',
        'where its issuer is not accepted, a token that is known says nothing';
    for my $row (['spiffe', 200], ['dns', 401], ['spiffe', 200]) {
        my ($name, $status) = @$row;
        my $response = $server->get_as($name, '/', bearer_of('bound'));
        is $response->{status}, $status, "a token bound to a certificate, with that of $name";
    }
};

subtest 'signed tokens are verified here' => sub {
    my $before = $issuer->questions;
    is verdict($server->get('/', bearer())), '200', 'a good one';
    is verdict($server->get('/', bearer(expires => '-1h'))), '401 token_expired', 'an old one';
    is verdict($server->get('/', bearer(key => 'other'))), '200', 'one of another issuer';
    is verdict($server->get('/', 'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.c2ln')), '401 algorithm_refused', 'a forged one';
    is scalar(my @all = $issuer->questions), $before, 'none of them is asked about';
};

subtest 'what is no token is not asked about' => sub {
    my $before = $issuer->questions;
    is verdict($server->get('/')), '401 credential_missing', 'nothing';
    is verdict($server->get('/', 'Authorization: Basic dTpw')), '401 credential_missing', 'another scheme';
    is verdict($server->get('/', 'Authorization: Bearer a,b')), '401 token_malformed', 'a list';
    is verdict($server->get('/open', bearer_of('open'))), '200', 'a token where nobody looks';
    is scalar(my @all = $issuer->questions), $before, 'no question';
};

subtest 'what follows the verdict is as ever' => sub {
    is verdict($server->get('/limited', bearer_of('limited'))), '200', 'a limit is charged';
    is verdict($server->get('/limited', bearer_of('limited'))), '429 limited', '... once a request';
    is verdict($server->get('/dry', bearer_of('dry-inactive'))), '200 token_inactive', 'a dry run says what is refused';
    is $server->get('/dry', bearer_of('dry'))->{headers}{'x-service'}, 'dry', '... and knows who it is';
    like $server->get('/moved', bearer_of('moved'))->{body}, qr/^X-Mesh-Service: moved\r$/m,
        'an internal redirect under the same settings';
    is $issuer->counts->{moved}, 1, '... asks once';
};

subtest 'guesses are charged to their address' => sub {
    is verdict($server->get('/failures', bearer_of("inactive-$_"))), '401 token_inactive', "guess $_" for 1, 2;
    is verdict($server->get('/failures', bearer_of('inactive-3'))), '429 failure_limited', 'the third is refused';
    is $issuer->counts->{'inactive-3'}, undef, '... and not asked about';
    is verdict($server->get('/failures', bearer_of('orders-api'))), '200', 'a token that is known passes';
    is verdict($server->get('/', bearer_of('inactive-1'))), '401 token_inactive', 'elsewhere there is no such limit';
};

$server->stop;
unlike $server->error_log, qr/s3cr3t|orders-api,/, 'no secret is in the log';

subtest 'an answer counts for as long as it may' => sub {
    my $short = $conf =~ s/introspection_cache 1h/introspection_cache 1s/r
        =~ s/introspection_negative 1h/introspection_negative 1s/r;
    my $server = Test::Mesh::Server->start($short);
    for my $token ('brief', 'inactive-brief') {
        my $status = $token eq 'brief' ? 200 : 401;
        is $server->get('/', bearer_of($token))->{status}, $status, $token;
        my $count = $issuer->counts->{$token};
        my %statuses;
        is_soon(sub {
            $statuses{ $server->get('/', bearer_of($token))->{status} } = 1;
            return $issuer->counts->{$token};
        }, $count + 1, '... is asked about anew');
        is join(' ', keys %statuses), $status, '... and answered as before';
    }
    $server->stop;
};

subtest 'an issuer without keys is asked about its signed tokens too' => sub {
    my $server = Test::Mesh::Server->start($conf =~ s{jwks %%KEYS%%/idp.jwks;}{}r);
    my $bearer = bearer(subject => 'signed');
    my ($token) = $bearer =~ /(\S+)\z/;
    # Its subject is the token here, so it shows who was asked.
    is $server->get('/', $bearer)->{status}, 200, 'a signed token of it';
    is $issuer->counts->{$token}, 1, '... is asked about';
    is verdict($server->get('/', bearer(key => 'other'))), '200', 'that of another issuer is verified';
    is verdict($server->get('/other', $bearer)), '401 issuer_refused', 'where it is not accepted, it is refused';
    $server->stop;
};

subtest 'always' => sub {
    my $server = Test::Mesh::Server->start($conf =~ s{(introspection http\S+);}{$1 always;}r);
    my $bearer = bearer(subject => 'always');
    my ($token) = $bearer =~ /(\S+)\z/;
    is $server->get('/', $bearer)->{status}, 200, 'a signed token';
    is $issuer->counts->{$token}, 1, '... is asked about';
    $server->stop;
};

subtest 'a token that is bound to a key' => sub {
    my $server = Test::Mesh::Server->start($conf);
    my @sent = dpop(token => 'key');
    $issuer->mode('hold');
    my $before = $issuer->questions;
    my @clients = map { $server->connect->send(request_bytes('/', @sent)) } 1 .. 6;
    $issuer->await_questions($before + 1);
    $issuer->mode('normal');
    is_deeply [sort map { verdict($_->response) } @clients], ['200', ('401 dpop_replayed') x 5],
        'is admitted with a proof, which counts once for all who waited';
    is verdict($server->get('/', bearer_of('key'))), '401 dpop_missing', '... and not without';
    is verdict($server->get('/', dpop(token => 'orders-api'))), '401 dpop_unbound', 'a proof binds no token';

    $server->reload($conf =~ s{(introspection http\S+);}{$1 always;}r);
    my $bound = bound();
    is verdict($server->get('/', bearer_of($bound))), '401 dpop_missing', 'a JWT is bound as it says, whatever the answer leaves out';
    is verdict($server->get('/', dpop(token => $bound))), '200', '... and needs its proof';
    $server->stop;
};

subtest 'an issuer that names no audience' => sub {
    my $server = Test::Mesh::Server->start(
        $conf =~ s/introspection_timeout/introspection_audience optional;\n introspection_timeout/r);
    is verdict($server->get('/', bearer_of('no-audience'))), '200', 'is believed where that is said';
    is verdict($server->get('/', bearer_of('other-audience'))), '401 audience_refused', '... but not for another';
    $server->stop;
};

subtest 'one process answers that it cannot ask' => sub {
    my $server = Test::Mesh::Server->start($conf, main => 'master_process off;', workers => 0, name => 'a single process');
    $server->await('a listener', sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) });
    is verdict($server->get('/', bearer_of('single'))), '503 introspection_unavailable', 'there is no thread';
    $server->stop;
};

$issuer->stop;
done_testing;
