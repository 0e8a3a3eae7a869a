# A cache, a hash or a log that names the credential still sees it, though it does not go upstream: nobody
# gets another one's answer.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $cache = 'proxy_cache answers; proxy_pass http://127.0.0.1:UPSTREAM;';
my $server = Test::Mesh::Server->start(<<"CONF" =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
proxy_cache_path %%ROOT%%/cache keys_zone=answers:1m;
proxy_cache_valid any 1m;
underscores_in_headers on;
log_format told '[\$uri] [\$http_authorization] [\$http_x_token] [\$cookie_session] [\$http_cookie] [\$http_dpop]';
map \$http_authorization \$mapped { default \$http_authorization; }
server {
    listen 127.0.0.1:%%PORT%%;
    root %%ROOT%%;
    access_log %%ROOT%%/logs/told.log told;
    add_header Reason \$mesh_reason always;
    add_header Cached \$upstream_cache_status always;
    mesh_authenticate token;

    location /key { proxy_cache_key \$uri\$http_authorization; $cache }
    location /mapped { proxy_cache_key \$uri\$mapped; $cache }
    location /field { mesh_token_source header X-Token; proxy_cache_key \$uri\$http_x_token; $cache }
    location /cookie { mesh_token_source cookie session; proxy_cache_key \$uri\$cookie_session; $cache }
    location /cookies { mesh_token_source cookie session; proxy_cache_key \$uri\$http_cookie; $cache }
    location /several {
        mesh_token_source authorization header x-token cookie session;
        proxy_cache_key \$uri|\$http_authorization|\$http_x_token|\$cookie_session; $cache
    }
    location /forwarded { mesh_forward_credential on; proxy_cache_key \$uri\$http_authorization; $cache }
    location /dry { mesh_dry_run all; proxy_cache_key \$uri\$http_authorization; $cache }
    location /identity { proxy_cache_key \$uri\$mesh_issuer\$mesh_principal; $cache }

    location /bypass { proxy_cache_key \$uri; proxy_cache_bypass \$http_authorization; proxy_no_cache \$http_authorization; $cache }
    location /bypass-cookie {
        mesh_token_source cookie session; proxy_cache_key \$uri;
        proxy_cache_bypass \$cookie_session; proxy_no_cache \$cookie_session; $cache
    }

    # Where a request is led on: the first location takes the token away.
    location ~ ^/try(?<to>/.*) { try_files /none \$to; }
    location /named { try_files /none \@named; }
    location \@named { proxy_cache_key named\$uri\$http_authorization; $cache }
    location ~ ^/missing(?<to>/.*) { root %%ROOT%%/none; error_page 404 =200 \$to; }
    location /to-open { try_files /none /open; }
    location /open { mesh_authenticate off; proxy_cache_key open\$http_authorization; $cache }

    # A subrequest has what its main request had.
    location /page { ssi on; default_type text/html; alias %%ROOT%%/page.html; }
    location = /asked { auth_request /witness; proxy_cache_key \$uri\$http_authorization; $cache }
    location = /witness { internal; proxy_cache_key witness\$http_authorization; $cache }

    # A refused request keeps its field.
    location /refused { error_page 401 = \@refused; proxy_pass http://127.0.0.1:UPSTREAM; }
    location \@refused { mesh_authenticate off; proxy_cache_key refused\$http_authorization; $cache }

    location /upstream { proxy_set_header Seen "[\$http_authorization]"; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
spew($server->root . '/page.html', '<!--# include virtual="/key/included" -->');

my %token = map { $_ => token(subject => $_) } qw(alice bob);

sub authorization ($name) { return "Authorization: Bearer $token{$name}" }

# For whom an answer was made: whom its upstream was told of.
sub whose ($response) {
    return verdict($response) if $response->{status} != 200;
    return join ',', arrived($response, 'X-Mesh-Service');
}

my %ways = (
    'X-Token' => sub ($name) { return "X-Token: $token{$name}" },
    'X_Token' => sub ($name) { return "X_Token: $token{$name}" },
    Cookie => sub ($name) { return "Cookie: a=1; session=$token{$name}" },
    Authorization => \&authorization,
);

sub apart ($target, $way, $name = "$target by $way") {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @answers = map { $server->get($target, $ways{$way}->($_)) } qw(alice bob alice);
    is_deeply [map { whose($_) } @answers], [qw(alice bob alice)], $name;
    unlike $_->{body}, qr/$token{alice}|$token{bob}/, '... without the token' for @answers;
    return map { $_->{headers}{cached} // '-' } @answers;
}

subtest 'a key' => sub {
    is_deeply [apart('/key', 'Authorization')], [qw(MISS MISS HIT)], 'the answer is still cached';
    apart('/mapped', 'Authorization');
    apart('/identity', 'Authorization');
    apart('/dry', 'Authorization');
    apart('/field', 'X-Token');
    apart('/field/again', 'X_Token');
    apart('/cookie', 'Cookie');
    apart('/cookies', 'Cookie');
    apart("/several/$_", $_) for qw(Authorization X-Token Cookie);
    is_deeply [map { whose($server->get('/forwarded', authorization($_))) } qw(alice bob)], [qw(alice bob)],
        'a credential that goes on is in the key as well';
};

subtest 'a predicate' => sub {
    is_deeply [apart('/bypass', 'Authorization')], [qw(BYPASS BYPASS BYPASS)], 'nothing is cached';
    is_deeply [apart('/bypass-cookie', 'Cookie')], [qw(BYPASS BYPASS BYPASS)], '... nor by a cookie';
};

subtest 'a request that is led on' => sub {
    apart('/try/key/tried', 'Authorization');
    apart('/missing/key/missing', 'Authorization');
    apart('/named', 'Authorization');
    my %seen = map { ($_ => $server->get('/to-open', authorization($_))->{headers}{cached}) } qw(alice bob);
    is_deeply \%seen, { alice => 'MISS', bob => 'MISS' }, 'to one that does not authenticate';
};

subtest 'a subrequest' => sub {
    is_deeply [map { whose($server->get('/page', authorization($_))) } qw(alice bob alice)], [qw(alice bob alice)], 'an include';
    apart('/asked', 'Authorization', 'beside auth_request');
};

subtest 'a refused request' => sub {
    my @bad = map { token(subject => $_, expires => '-1h') } qw(alice bob);
    is_deeply [map { $server->get('/refused', "Authorization: Bearer $_")->{headers}{cached} } @bad], [qw(MISS MISS)],
        'its page has what it sent in its key';
    is whose($server->get('/dry/bad', "Authorization: Bearer $bad[0]")), '', 'and a dry run leaves all as it was';
};

subtest 'who asks for it' => sub {
    my $response = $server->get('/upstream', authorization('alice'));
    like $response->{body}, qr/^Seen: \[Bearer \Q$token{alice}\E\]\r$/m, 'a field that is set by the variable holds it';
    unlike $response->{body}, qr/^Authorization/mi, 'and the field itself is gone';
    my $told = sub { return slurp($server->root . '/logs/told.log') };
    $server->get('/cookie/told', $ways{Cookie}->('bob'));
    $server->get('/field/told', $ways{'X-Token'}->('bob'));
    $server->await('the log of the requests', sub { $told->() =~ m{\[/field/told\]} && $told->() =~ m{\[/cookie/told\]} });
    like $told->(), qr{^\[/upstream\] \[Bearer \Q$token{alice}\E\] \[-\] \[-\] \[-\] \[-\]$}m, 'a log that names it shows it';
    like $told->(), qr{^\[/cookie/told\] \[-\] \[-\] \[\Q$token{bob}\E\] \[a=1; session=\Q$token{bob}\E\] \[-\]$}m, '... a cookie';
    like $told->(), qr{^\[/field/told\] \[-\] \[\Q$token{bob}\E\]}m, '... a field';
    is scalar(grep { index($server->error_log, $_) >= 0 } values %token), 0, 'our log never does';
};

unlike $server->error_log, qr/is cached in location/, 'no key was without its caller';
$server->stop;

# Warnings.
my $SHARED = qr/\[warn\].*mesh: an answer is cached in location "(.*?)" under a key/;
my $UNNAMED = qr/\[warn\].*mesh_authenticate does not keep the cached answers of callers apart.*, in location "(.*?)"/;

sub cache_conf ($inside, $more = '') {
    return <<"CONF" =~ s/UPSTREAM/$upstream->port/ger;
include %%KEYS%%/issuers.conf;
proxy_cache_path %%ROOT%%/cache keys_zone=answers:1m;
proxy_cache_valid 200 1m;
$more
server { listen 127.0.0.1:%%PORT%%; root %%ROOT%%; mesh_authenticate token; $inside }
CONF
}

sub warned_of ($what, $text, @locations) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return config_warns($text, $UNNAMED, $what, @locations);
}

subtest 'nginx -t' => sub {
    my $pass = 'proxy_pass http://127.0.0.1:1;';
    warned_of('a cache that knows nobody', cache_conf("location /a { $cache }"), '/a');
    warned_of('... inherited', cache_conf("proxy_cache answers; location /a { $pass location /a/b { $pass } }"), '/a', '/a/b');
    warned_of('... of another kind', cache_conf('location /a { fastcgi_cache others; fastcgi_cache_key $uri; fastcgi_pass 127.0.0.1:1; }',
        'fastcgi_cache_path %%ROOT%%/others keys_zone=others:1m;'), '/a');
    warned_of('... by a name of variables', cache_conf('location /a { proxy_cache answers; proxy_pass http://$host; }'), '/a');
    warned_of('a cache that is off', cache_conf("proxy_cache answers; location /a { proxy_cache off; $pass }"));
    warned_of('nothing that could be cached', cache_conf('proxy_cache answers; location /a { expires 1m; } location /b { fastcgi_pass 127.0.0.1:1; }'));
    warned_of('an open location', cache_conf("location /a { mesh_authenticate off; $cache }"));
    warned_of('no cache', cache_conf("location /a { $pass }"));
    warned_of("named: $_", cache_conf("location /a { proxy_cache_key \$uri$_; $cache }"))
        for qw($mesh_principal $mesh_service $http_authorization $http_dpop $ssl_client_fingerprint);
    warned_of("not by: $_", cache_conf("location /a { proxy_cache_key \$uri$_; $cache }"), '/a')
        for qw($http_x_token $cookie_session $mesh_reason $ssl_client_verify $http_cookie);
    warned_of('a claim', cache_conf("location /a { proxy_cache_key \$uri\$tenant; $cache }", 'mesh_claim $tenant /tenant;'));
    warned_of('a field', cache_conf("location /a { mesh_token_source header x-token; proxy_cache_key \$uri\$http_x_token; $cache }"));
    warned_of('a cookie', cache_conf("location /a { mesh_token_source cookie s; proxy_cache_key \$uri\$cookie_s; $cache }"));
};

subtest 'at work' => sub {
    my $shared = Test::Mesh::Server->start(<<"CONF" =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
proxy_cache_path %%ROOT%%/cache keys_zone=answers:1m;
proxy_cache_valid 200 1m;
log_format named '\$mesh_service';
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    mesh_authenticate token;
    proxy_cache_methods GET HEAD POST;
    access_log %%ROOT%%/logs/named.log named;
    location /plain { $cache }
    location /other { proxy_cache_key \$uri; $cache }
    location /never { proxy_no_cache 1; $cache }
    location /refused { error_page 401 = /open; $cache }
    location /open { mesh_authenticate off; $cache }
    location /service { proxy_cache_key \$uri\$mesh_service; $cache }
    location /token { proxy_cache_key \$uri\$http_authorization; $cache }
    location /session { mesh_token_source cookie session; proxy_cache_key \$uri\$cookie_session; $cache }
    location /certificate { mesh_authenticate certificate; proxy_cache_key \$uri\$ssl_client_fingerprint; $cache }
    location /nameless { mesh_authenticate certificate; proxy_cache_key \$uri\$ssl_client_verify; $cache }
    location /done { access_log %%ROOT%%/logs/done.log named; empty_gif; }
}
CONF
    my $get = sub ($target, @headers) { return $shared->get($target, @headers)->{status} };
    $get->($_, authorization('alice')) for qw(/service /token /never /open);
    $get->('/session', $ways{Cookie}->('alice')) for 1 .. 2;
    $get->('/refused');
    is $shared->get_as('spiffe', $_)->{status}, 200, $_ for qw(/certificate);
    # A request after them: one worker logs one after another.
    $shared->get('/done', authorization('alice'));
    $shared->await('the last', sub { -s $shared->root . '/logs/done.log' });
    is_deeply [$shared->error_log =~ /$SHARED/g], [], 'keys that hold the caller, and answers that are not kept';

    for (1 .. 3) {
        $get->('/plain', authorization('alice'));
        $get->('/other', authorization('bob'));
        is $shared->get_as('spiffe', '/nameless')->{status}, 200, 'a certificate';
    }
    $shared->await('the warnings', sub { 3 <= (() = $shared->error_log =~ /$SHARED/g) });
    is_deeply [sort $shared->error_log =~ /$SHARED/g], [qw(/nameless /other /plain)], 'keys that do not: once a location';
    is_deeply [$shared->error_log =~ /$UNNAMED/g], [], 'nginx -t does not warn if a variable is named somewhere';
    $shared->expect_log($SHARED);
    $shared->stop;
};

$upstream->stop;
done_testing;
