# What is named is what goes upstream, in each form of proxy_pass.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
spew("$dir/policy.yaml", <<'POLICY');
version: 1
services: { orders: [ { issuer: idp, service: orders-api } ] }
roles: { reader: [ { databricks: { files: ["*"], actions: [read] } } ] }
bindings: [ { name: reader, role: reader, services: [orders] } ]
POLICY

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_policy %%DIR%%/policy.yaml;
mesh_authenticate token;
mesh_platform databricks;
server {
    listen 127.0.0.1:%%PORT%%;
    location / { proxy_pass %%UPSTREAM%%; }
    location /api/2.0/fs/files/Volumes/by/variable/ { set $up %%UPSTREAM%%; proxy_pass $up; }
    location /api/2.0/fs/files/Volumes/by/uri_variable/ { set $up %%UPSTREAM%%; proxy_pass $up$uri; }
    location /api/2.0/fs/files/Volumes/by/line/ { proxy_pass %%UPSTREAM%%$request_uri; }
    location /api/2.0/fs/files/Volumes/by/break/ { rewrite ^(.*)$ $1 break; proxy_pass %%UPSTREAM%%; }
    location /api/2.0/fs/files/Volumes/by/uri/ { proxy_pass %%UPSTREAM%%/api/2.0/fs/files/Volumes/by/uri/; }
    location /api/2.0/fs/files/Volumes/by/dry/ { mesh_dry_run policy; proxy_pass %%UPSTREAM%%/api/2.0/fs/files/Volumes/by/dry/; }
    location /db/ { mesh_platform databricks prefix=/db; proxy_pass %%UPSTREAM%%/; }
    location /kept/ { mesh_platform databricks prefix=/kept; proxy_pass %%UPSTREAM%%; }
}
CONF

# The answer to a path, and what of it arrives.
sub seen ($target) {
    my $response = $server->get($target, bearer());
    my ($path) = $response->{body} =~ /\AGET (\S+) HTTP/;
    return ($response->{status}, $path);
}

my $files = '/api/2.0/fs/files/Volumes';
for my $name ('a%20b', 'a%2Fb', 'a%3Bb', 'a%25b', 'a%3Fb', 'a%23b') {
    my $plain = $name =~ s/%([0-9A-F]{2})/chr hex $1/egr;
    for my $form (['c/s', 'as it came'], ['by/variable', 'by a variable'], ['by/line', 'by the line of the request'], ['by/uri_variable', 'by a variable and the path']) {
        my ($place, $how) = @$form;
        if ($place ne 'c/s' && $plain =~ m{[/;%?# ]}) {
            is((seen("$files/$place/v/$name"))[0], 400, "$name $how, which nobody compares");
            next;
        }
        my ($status, $path) = seen("$files/$place/v/$name");
        is $status, 200, "$name $how";
        is $path, "$files/$place/v/$name", '... arrives as it was named' if $place ne 'by/uri_variable';
    }
    my ($status, $path) = seen("$files/by/break/v/$name");
    if ($plain =~ m{[/;\\%?#]}) {
        # A file's name has slashes of its own: decoded, it is another path of the same name.
        is $status, 400, "$name after a rewrite that decodes" if $plain !~ m{/};
        ($status, $path) = seen("$files/by/uri/v/$name");
        # Nginx escapes %, ? and # again.
        my $is_same = $plain !~ m{[/;]};
        is $status, $is_same ? 200 : 500, "$name by a URI, which has it decoded";
        is $path, $is_same ? "$files/by/uri/v/$name" : undef, '... is sent as it was named, or not at all';
        is((seen("$files/by/dry/v/$name"))[0], 200, '... but in a dry run');
        ($status) = seen("/db$files/c/s/v/$name");
        is $status, 400, "$name behind a prefix that is taken away";
        ($status) = seen("/kept$files/c/s/v/$name");
        is $status, 400, "$name behind a prefix that stays";
    } else {
        is $status, 200, "$name after a rewrite that decodes";
        is $path, "$files/by/break/v/$name", '... arrives escaped again';
        ($status, $path) = seen("$files/by/uri/v/$name");
        is $status, 200, "$name by a URI";
        ($status, $path) = seen("/db$files/c/s/v/$name");
        is $status, 200, "$name behind a prefix that is taken away";
        is $path, "$files/c/s/v/$name", '... arrives as it was named';
    }
}

$server->await_log(qr/reason: request_ambiguous: the path of the request is sent decoded/);
$server->expect_log(qr/sent decoded/);
$server->stop;
done_testing;
