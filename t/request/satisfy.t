# Under `satisfy any`, a credential that is absent or bad leaves the word to the other access
# modules; a denial and a limit do not, for deny wins.

use v5.36;

use lib 't/lib';

use MIME::Base64 qw(encode_base64);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    auth_basic_user_file %%ROOT%%/users;
    add_header X-Decision $mesh_decision always;

    location /any {
        satisfy any;
        location /any/allow { allow all; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /any/deny { deny all; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /any/basic { auth_basic people; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /any/asked { auth_request /yes; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /any/basic-asked {
            auth_basic people;
            auth_request /yes;
            proxy_pass http://127.0.0.1:UPSTREAM;
        }
        location /any/claim {
            mesh_require_claim /team data;
            allow all;
            auth_basic people;
            proxy_pass http://127.0.0.1:UPSTREAM;
        }
        location /any/limit {
            mesh_limit any rate=1r/h;
            allow all;
            proxy_pass http://127.0.0.1:UPSTREAM;
        }
        location /any/failures {
            mesh_failure_limit rate=1r/h;
            allow all;
            proxy_pass http://127.0.0.1:UPSTREAM;
        }
        location /any/off { mesh_authenticate off; deny all; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /any/alone { proxy_pass http://127.0.0.1:UPSTREAM; }
    }
    location /all {
        satisfy all;
        location /all/allow { allow all; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /all/deny { deny all; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /all/basic { auth_basic people; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /all/claim {
            mesh_require_claim /team data;
            allow all;
            proxy_pass http://127.0.0.1:UPSTREAM;
        }
    }
    location = /yes { internal; mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
spew($server->root . '/users', "ann:{PLAIN}secret\n");

my %sent = (
    nothing => [],
    token => [bearer()],
    expired => [bearer(expires => '-1h')],
    foreign => [bearer(key => 'other', issuer => 'https://idp.example')],
    malformed => ['Authorization: Bearer of-nothing'],
    basic => ['Authorization: Basic ' . encode_base64('ann:secret', '')],
    'wrong basic' => ['Authorization: Basic ' . encode_base64('ann:guess', '')],
);

# What is sent to where, the status, and how the identity arrives.
my @cases = (
    ['/any/allow', 'token', 200, 'identity'],
    (map { ['/any/allow', $_, 200, 'none'] } 'nothing', 'expired', 'foreign', 'malformed', 'basic'),
    ['/any/deny', 'token', 200, 'identity'],
    ['/any/deny', 'nothing', 401], ['/any/deny', 'expired', 401], ['/any/deny', 'basic', 401],
    ['/any/basic', 'token', 200, 'identity'],
    ['/any/basic', 'basic', 200, 'none'],
    ['/any/basic', 'wrong basic', 401], ['/any/basic', 'nothing', 401], ['/any/basic', 'expired', 401],
    ['/any/asked', 'token', 200, 'identity'],
    ['/any/asked', 'expired', 200, 'none'],
    ['/any/basic-asked', 'wrong basic', 200, 'none'],
    ['/any/claim', 'token', 403], ['/any/claim', 'nothing', 200, 'none'],
    ['/any/alone', 'token', 200, 'identity'], ['/any/alone', 'nothing', 401],
    ['/any/off', 'token', 403],
    ['/all/allow', 'token', 200, 'identity'], ['/all/allow', 'nothing', 401],
    ['/all/allow', 'expired', 401], ['/all/allow', 'basic', 401],
    ['/all/deny', 'token', 403], ['/all/deny', 'nothing', 401],
    ['/all/basic', 'basic', 401], ['/all/basic', 'token', 401],
    ['/all/claim', 'token', 403], ['/all/claim', 'nothing', 401],
);
for my $case (@cases) {
    my ($target, $what, $status, $arrives) = @$case;
    my $response = $server->get($target, $sent{$what}->@*, 'X-Mesh-Service: forged');
    is $response->{status}, $status, "$target with $what: $status";
    my $challenge = $response->{headers}{'www-authenticate'};
    if ($status != 200) {
        ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
        like $challenge // '', qr/Bearer|Basic/, '... with a challenge' if $status == 401;
        next;
    }
    is $challenge, undef, '... without a challenge';
    my @identity = $response->{body} =~ /^X-Mesh-Service: (.*)\r$/mg;
    is_deeply \@identity, $arrives eq 'identity' ? ['orders-api'] : [], "... and $arrives arrives";
    is $response->{headers}{'x-decision'}, $arrives eq 'identity' ? 'allowed' : 'refused', '... as decided';
    my ($authorization) = $response->{body} =~ /^(Authorization: .*)\r$/m;
    is $authorization, $arrives eq 'identity' ? undef : $sent{$what}[0], '... and all that was not verified';
}

my $refused = $server->get('/any/basic', $sent{expired}->@*)->{headers}{'www-authenticate'};
like $refused, qr/Bearer realm="mesh", error="invalid_token"/, 'who asks in vain learns of both ways: a token';
like $refused, qr/Basic realm="people"/, '... and a password';
like $server->get('/all/allow', $sent{basic}->@*)->{headers}{'www-authenticate'},
    qr/\ABearer realm="mesh", DPoP realm="mesh", algs="[\w ]+"\z/, 'where only a token would do, of one';

is $server->get('/any/limit', $sent{token}->@*)->{status}, 200, 'a limit admits its first request';
my $limited = $server->get('/any/limit', $sent{token}->@*);
is $limited->{status}, 429, '... and refuses the next, though the address is allowed';
like $limited->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/, '... until when';
is $server->get('/any/limit')->{status}, 200, '... but not one without an identity';

is $server->get('/any/failures', $sent{expired}->@*)->{status}, 200, 'a refused credential is counted';
is $server->get('/any/failures', $sent{foreign}->@*)->{status}, 429, '... and the next one too many';

like $server->raw("GET /any/allow HTTP/1.0\r\n" . "$sent{token}[0]\r\n" x 2 . "\r\n"), qr/\AHTTP\S+ 400 /,
    'two credentials are refused for good';

$server->stop;
done_testing;
