# `return` answers before anybody is asked who they are: nginx -t warns of it in a protected location.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Server;

my $WARNING = qr/\[warn\].*mesh_authenticate does not protect a location that answers by "return"(?:.* in location "(.*?)")?/;

# Proves that `nginx -t` warns of these locations.
sub is_warned_of ($text, $what, @locations) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return config_warns("include %%KEYS%%/issuers.conf;\n$text", $WARNING, $what, @locations);
}

my $protected = 'mesh_authenticate token;';
is_warned_of(server_block("location /a { $protected return 200; }"), 'return in a protected location', '/a');
is_warned_of(server_block("location /a { return 200; $protected }"), 'before the directive', '/a');
is_warned_of(server_block("$protected location /a { return 302 /b; }"), 'where a server protects', '/a');
is_warned_of($protected . server_block('location /a { return 204; }'), 'where http does', '/a');
is_warned_of(server_block("location /a { $protected location /a/b { return 200 text; } }"), 'in an inner location', '/a/b');
is_warned_of(server_block("location = /a { $protected return 200; }"), 'in an exact one', '/a');
is_warned_of(server_block("location ~ ^/a { $protected return 200; }"), 'in one by pattern', '^/a');
is_warned_of(server_block("location \@a { $protected return 200; }"), 'in a named one', '@a');
is_warned_of(server_block("location /a { mesh_authenticate any; return 200; }"), 'for any credential', '/a');
is_warned_of(server_block("location /a { $protected rewrite ^/x /y break; set \$a 1; return 200; }"), 'after other rewrites', '/a');
is_warned_of(
    server_block("$protected location /a { return 200; } location /b { proxy_pass http://127.0.0.1:1; } location /c { return 200; }"),
    'in each of several', '/a', '/c');
is_warned_of(server_block("location /a { $protected if (\$arg_x) { set \$a 1; return 204; } return 200; }"), 'behind an if that returns', '/a');

is_warned_of(server_block('location /a { return 200; }'), 'return in an open location');
is_warned_of(server_block("$protected location /a { mesh_authenticate off; return 200; }"), 'in one that is opened');
is_warned_of(server_block("location /a { $protected proxy_pass http://127.0.0.1:1; } location /b { return 200; }"),
    'beside a protected one');
is_warned_of(server_block("$protected return 301 https://a.example/;"), 'a server that redirects as a whole');
is_warned_of(server_block("$protected return 301 https://a.example/; location /a { empty_gif; }"), 'with a location');
is_warned_of(server_block("location /a { $protected rewrite ^/a(.*) /b last; set \$a 1; }"), 'a rewrite is no return');
is_warned_of(server_block("location /a { $protected proxy_pass http://127.0.0.1:1; }"), 'nor is a proxy');
is_warned_of(server_block("location /a { $protected if (\$request_method = OPTIONS) { return 204; } proxy_pass http://127.0.0.1:1; }"),
    'a return for some requests is meant');
is_warned_of(server_block("location /a { $protected if (\$arg_a) { set \$a 1; rewrite ^/x /y; return 204; } if (\$arg_b) { return 403; } }"),
    '... as are several');
is_warned_of(server_block("location /a { $protected limit_except GET { mesh_authenticate off; } return 200; }"),
    'return beside limit_except', '/a');
is_warned_of(server_block("location /a { limit_except GET { $protected } return 200; }"), '... which does not run for its methods');

# What it warns of.
my $server = Test::Mesh::Server->start(<<'CONF');
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    location /returned { return 200 "open\n"; }
    location /served { empty_gif; }
}
CONF
is $server->get('/returned')->{status}, 200, 'such a location is open indeed';
is $server->get('/served')->{status}, 401, 'and others are not';
like $server->error_log, $WARNING, 'the warning is in the log as well';
$server->stop;

done_testing;
