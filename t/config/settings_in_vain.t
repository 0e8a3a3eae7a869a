# Settings that read like protection and do nothing are refused, or warned of where they are inherited.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Server;

my $issuers = "include %%KEYS%%/issuers.conf;\n";

# The warnings of `nginx -t`, without the place.
sub warned ($text, $name, @patterns) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $output) = Test::Mesh::Server::test_config($issuers . $text);
    my @warnings = grep { /\[warn\].*mesh_/ } split /\n/, $output;
    my $fits = $status == 0 && @warnings == @patterns && !grep { $warnings[$_] !~ $patterns[$_] } 0 .. $#patterns;
    return ok($fits, $name) || diag($output);
}

my %promise = (
    'mesh_require_claim /groups admin' => 'mesh_require_claim', 'mesh_accept idp' => 'mesh_accept',
    'mesh_dpop require' => 'mesh_dpop require', 'mesh_limit calls rate=1r/m' => 'mesh_limit',
);

subtest 'in a block that nobody authenticates in' => sub {
    for my $line (sort keys %promise) {
        my $message = "$promise{$line} does nothing: neither its block nor one within has mesh_authenticate";
        refused_at($issuers . server_block("location /a { mesh_authenticate token; }\nlocation /b {\n$line; # here\n}"), $message,
            "$line in a location");
        refused_at($issuers . server_block("$line; # here\nlocation / { }"), $message, '... in a server');
        refused_at("$issuers$line; # here\n" . server_block('location / { }'), $message, '... in http');
        refused_at($issuers . "mesh_authenticate token;\n" . server_block("location /b {\nmesh_authenticate off;\n$line; # here\n}"),
            $message, '... that is opened');
        warned(server_block("$line; location /a { mesh_authenticate token; }"), '... but not above one that authenticates');
        refused_at($issuers . server_block("location /b {\nlimit_except GET {\n$line; # here\n}\n}"), $message, '... for some methods');
        refused_at($issuers . server_block("location /b { mesh_authenticate token;\nlimit_except GET { mesh_authenticate off;\n$line; # here\n}\n}"),
            $message, '... that are opened');
        warned(server_block("location /b { $line; limit_except GET { mesh_authenticate token; } }"), '... but not around those that are not');
        warned(server_block("location /b { mesh_authenticate token; limit_except GET { $line; } }"), '... nor for some that are not');
    }
    warned(server_block('location /b { mesh_limit calls rate=1r/m key=address; }'), 'a limit that asks for no identity is warned of',
        qr/mesh_limit does nothing: neither/);
};

subtest 'where they are inherited' => sub {
    my $line = 'mesh_require_claim /groups admin;';
    my $vain = sub ($name) { qr/mesh_require_claim does nothing in location "\Q$name\E", which does not authenticate: say "mesh_authenticate off"/ };
    my $a = 'location /a { mesh_authenticate token; }';
    warned(server_block("$line $a location /b { }"), 'by an open location', $vain->('/b'));
    warned(server_block("$line $a location /b { location /b/c { } if (\$arg_a) { return 204; } }"), '... once', $vain->('/b'));
    warned(server_block("$line $a location /b { limit_except GET { allow all; } }"), '... with limit_except', $vain->('/b'));
    warned(server_block("$line $a location /b { limit_except GET { mesh_authenticate token; } }"), 'not by one that authenticates some methods');
    warned(server_block("$line $a location /b { mesh_authenticate off; }"), 'not by one that says so');
    warned(server_block("$line $a location /b { mesh_authenticate off; location /b/c { } }"), '... nor within it');
    warned(server_block("$line mesh_authenticate token; location /b { mesh_authenticate off; }"), '... in a server that authenticates');
    warned($line . server_block($a) . server_block('location / { }'), 'by a server', qr/does nothing in a server, which/);
};

subtest 'what may not be meant' => sub {
    warned(server_block('mesh_authenticate token; mesh_dry_run all;'), 'mesh_dry_run all', qr/mesh_dry_run all lets every request pass/);
    warned(server_block('mesh_authenticate token; mesh_dry_run limit;'), 'but not limit');
    warned(server_block('mesh_authenticate token; mesh_accept idp audience=*;'), 'audience=*', qr/mesh_accept has audience=\*/);
    my $block = 'mesh_issuer star { issuer https://star.example; audience *; jwks %%KEYS%%/idp.jwks; }';
    warned($block . server_block(''), 'audience *', qr/mesh_issuer "star" has the audience "\*"/);
    $block = "mesh_issuer cognito {\nissuer https://pool.example; audience app; audience_claim /client_id; jwks %%KEYS%%/idp.jwks;\n}\n";
    warned($block . server_block('location / { mesh_authenticate token; mesh_accept cognito; }'), 'an audience_claim alone',
        qr/mesh_issuer "cognito" has an audience_claim, and location "\/" believes it without any mesh_require_claim/);
    warned($block . server_block('mesh_authenticate token; mesh_require_claim /token_use access; location / { }'), 'but not with a required claim');
    warned($block . server_block('location / { mesh_authenticate token; mesh_accept idp; }'), 'nor where the issuer is not believed');
};

subtest 'names of issuers' => sub {
    refused_at("mesh_issuer $_ { # here\n}\n", qq(mesh_issuer: "$_" is a word of the directives, no name)) for qw(off any all on none token);
};

done_testing();
