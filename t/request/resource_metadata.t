# A resource says of itself who may ask for it, and a refused client where it says that (RFC 9728).

use v5.36;

use lib 't/lib';

use JSON::PP ();
use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start(<<'CONF');
include %%KEYS%%/issuers.conf;
add_header Reason $mesh_reason always;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    mesh_authenticate token;
    mesh_resource https://api.example/;

    location / { mesh_accept other; empty_gif; }
    location /kafka {
        mesh_resource https://api.example/kafka scope=read scope=write "name=Orders, \"all\"" documentation=https://docs.example/kafka;
        mesh_dpop require;
        empty_gif;
        location /kafka/claim { mesh_require_claim /admin true; empty_gif; }
        location /kafka/inner { mesh_accept idp; empty_gif; }
        location /kafka/off { mesh_resource off; mesh_dpop accept; empty_gif; }
        location /kafka/open { mesh_authenticate off; mesh_resource https://api.example/kafka; empty_gif; }
    }
    location /plain { mesh_resource https://api.example/plain; mesh_dpop off; mesh_accept idp; empty_gif; }
    location /limited { mesh_limit calls rate=1r/h; empty_gif; }

    location = /.well-known/oauth-protected-resource {
        mesh_authenticate off;
        mesh_resource_metadata;
    }
    location = /.well-known/oauth-protected-resource/kafka {
        mesh_authenticate off;
        # Its parameters need not be repeated.
        mesh_resource https://api.example/kafka;
        mesh_resource_metadata;
    }
    location = /.well-known/oauth-protected-resource/plain {
        mesh_authenticate off;
        mesh_resource https://api.example/plain;
        mesh_resource_metadata;
    }
    location = /guarded { mesh_resource_metadata; }
}
server {
    %%TLS%%
    ssl_verify_client optional_no_ca;
    mesh_authenticate any;
    mesh_resource https://tls.example:8443/a?b=c;
    location / { empty_gif; }
    location = /metadata { mesh_authenticate off; mesh_resource_metadata; }
}
CONF

my $base = '/.well-known/oauth-protected-resource';

sub document ($response) { return JSON::PP->new->decode($response->{body}) }

my $response = $server->get($base);
is $response->{status}, 200, 'the metadata is served to anybody';
is $response->{headers}{'content-type'}, 'application/json', '... as JSON';
is $response->{headers}{'content-length'}, length $response->{body}, '... of its length';
my $document = document($response);
my $algorithms = delete $document->{dpop_signing_alg_values_supported};
ok +(grep { $_ eq 'ES256' } @$algorithms), '... with the algorithms of proofs';
ok !(grep { /\A(?:none|HS\d+)\z/ } @$algorithms), '... and no others';
is_deeply $document, {
    resource => 'https://api.example/',
    authorization_servers => ['https://idp.example', 'https://other.example'],
    bearer_methods_supported => ['header'],
    dpop_bound_access_tokens_required => JSON::PP::false,
    tls_client_certificate_bound_access_tokens => JSON::PP::false,
}, '... and what holds for its locations';

$document = document($server->get("$base/kafka"));
delete $document->{dpop_signing_alg_values_supported};
is_deeply $document, {
    resource => 'https://api.example/kafka',
    authorization_servers => ['https://idp.example', 'https://other.example'],
    bearer_methods_supported => ['header'],
    dpop_bound_access_tokens_required => JSON::PP::true,
    tls_client_certificate_bound_access_tokens => JSON::PP::false,
    scopes_supported => ['read', 'write'],
    resource_name => 'Orders, "all"',
    resource_documentation => 'https://docs.example/kafka',
}, 'another resource of the server has its own';
$document = document($server->get("$base/plain"));
is_deeply [sort keys %$document], [qw(
    authorization_servers bearer_methods_supported dpop_bound_access_tokens_required resource
    tls_client_certificate_bound_access_tokens
)], 'what is not there is not told';
is_deeply $document->{authorization_servers}, ['https://idp.example'], '... nor who is not believed';

my $head = $server->request('HEAD', $base);
is $head->{status}, 200, 'HEAD';
is $head->{headers}{'content-length'}, length $response->{body}, '... has the length';
is $head->{body}, '', '... and no body';
is $server->request($_, $base, body => 'x')->{status}, 405, "$_ is not allowed" for qw(POST PUT DELETE);
my $client = $server->connect;
is $client->request('GET', $base, body => 'x' x 100)->{status}, 200, 'a body that nobody asked for is read away';
is $client->request('GET', $base)->{status}, 200, '... and the connection goes on';
$client->close;
is $server->get("$base?x=y")->{status}, 200, 'with a query string';
is $server->get('/guarded')->{status}, 401, 'where a token is asked for, one is needed';
is document($server->get('/guarded', bearer()))->{resource}, 'https://api.example/', '... and enough';

sub metadata ($target, @headers) {
    my $response = $server->get($target, @headers);
    my $field = $response->{headers}{'www-authenticate'} // return 'none';
    my $challenges = () = $field =~ /(?:Bearer|DPoP) realm=/g;
    my @urls = $field =~ /resource_metadata="([^"]*)"/g;
    return "$response->{status} none" unless @urls;
    return join ' ', $response->{status}, @urls == $challenges ? $urls[0] : 'some';
}
my $origin = 'https://api.example';
is metadata('/'), "401 $origin$base", 'who sends no token learns where to look';
is metadata('/', bearer(expires => '-1h')), "401 $origin$base", '... as who sends a bad one';
is metadata('/kafka'), "401 $origin$base/kafka", '... by the resource';
is metadata('/kafka/inner', "Authorization: Bearer x"), "401 $origin$base/kafka", '... which is inherited';
is metadata('/kafka/claim', dpop(url => 'http://localhost/kafka/claim')), "403 $origin$base/kafka", 'as who is denied';
is metadata('/kafka/off'), '401 none', '... unless a location is none of it';
is metadata('/', bearer(key => 'other')), 'none', 'who is admitted is not told';
$server->get('/limited', bearer());
is metadata('/limited', bearer()), 'none', '... nor who is limited';

$document = document($server->get_as(undef, '/metadata'));
is $document->{tls_client_certificate_bound_access_tokens}, JSON::PP::true, 'where certificates are asked for, it says so';
like $server->get_as(undef, '/')->{headers}{'www-authenticate'},
    qr{resource_metadata="https://tls\.example:8443$base/a\?b=c"}, '... by port, path and query';
is curl(qw(--http2-prior-knowledge -w), ' %{http_version} %{http_code}', 'http://127.0.0.1:' . $server->port('h2') . $base),
    "$response->{body} 2 200", 'over HTTP/2 it is the same';

$server->reload;
is $server->get($base)->{body}, $response->{body}, 'and after a reload';
$server->stop;

my $with = sub ($lines) { "include %%KEYS%%/issuers.conf;\nserver {\n    listen 127.0.0.1:1;\n$lines}\n" };
refused_at("mesh_resource $_->[0]; # here\n", $_->[1]) for
    ['http://api.example/', 'is plain http to another host'], ['https://api.example/#a', 'holds a fragment'],
    ['api.example', 'is not an absolute URL'], ['ftp://api.example', 'is not https'],
    ['https://me@api.example', 'holds credentials'], ['https://api.example scope=', 'is not scope=, name= or documentation='],
    ['https://api.example documentation=x', '"x" is not an absolute URL'], ['off name=x', '"off" is not an absolute URL'];
refused_at("mesh_resource off;\nmesh_resource https://api.example; # here\n", 'is duplicate');
refused_at($with->("    location / { mesh_resource_metadata; } # here\n"), 'mesh_resource_metadata needs a mesh_resource');
refused_at($with->("    mesh_resource https://a.example;\n    location / { mesh_resource_metadata; } # here\n"),
    'no location that reads tokens has this mesh_resource');
refused_at($with->("mesh_authenticate token; mesh_resource https://a.example name=a;\n"
    . "    location / { mesh_resource https://a.example name=b; } # here\n"), 'has other parameters than the one in');
config_refused('mesh_resource_metadata;', qr/"mesh_resource_metadata" directive is not allowed here/, 'it stands in a location');
config_refused('server { location / { mesh_resource_metadata on; } }', qr/invalid number of arguments/, '... alone');
config_accepted('mesh_resource http://127.0.0.1:8080/a;', 'http is good enough for this host');
done_testing;
