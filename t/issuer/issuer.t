# An issuer is what its block says: each directive of it counts, and a wrong one is not accepted.

use v5.36;

use lib 't/lib';

use File::Basename qw(basename);
use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Response;
use Test::Mesh::Server;

my $directory = tempdir('issuer-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $directory;

sub write_file ($name, $text) { return spew("$directory/$name", $text) }

subtest 'each directive counts' => sub {
    write_file('audience.conf', "audience mesh kafka;\n");
    write_file('half.conf', "groups_claim /realm/roles;\ninclude $directory/audience.conf;\n");
    my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%DIR%%/$directory/gr);
mesh_issuer full-1.a_B {
    issuer https://full.example/~tenant?a=b;
    jwks %%KEYS%%/idp.jwks;
    include %%DIR%%/half.conf;
    algorithms ES256;
    leeway 2m;
    max_lifetime 1d;
    token_type "at+jwt";
    service_claim /azp;
}
mesh_issuer least { jwks %%KEYS%%/idp.jwks; audience least; issuer least; }
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    add_header Identity "$mesh_issuer,$mesh_service,$mesh_groups" always;
    location / { mesh_authenticate token; empty_gif; }
}
CONF
    my %full = (issuer => 'https://full.example/~tenant?a=b', audience => 'kafka', typ => 'at+jwt');
    my %claims = (azp => 'etl', realm => { roles => ['a', 'b'] });
    my $get = sub (%options) {
        my $response = $server->get('/', bearer(%full, claims => \%claims, %options));
        return join ' ', verdict($response), $response->{headers}{identity};
    };
    is $get->(), '200 full-1.a_B,etl,["a","b"]', 'a token as the block says';
    is $get->(key => 'rs256'), '401 algorithm_refused ,,', 'algorithms';
    is $get->(audience => 'least'), '401 audience_refused ,,', 'audience';
    is $get->(claims => {}), '401 service_missing ,,', 'service_claim';
    is $get->(typ => 'JWT'), '401 type_refused ,,', 'token_type';
    is $get->(expires => '2d'), '401 lifetime_exceeded ,,', 'max_lifetime';
    is $get->(expires => '-1m'), '200 full-1.a_B,etl,["a","b"]', 'within the leeway';
    is $get->(expires => '-3m'), '401 token_expired ,,', 'past it';
    is $get->(issuer => 'least', audience => 'least'), '200 least,orders-api,',
        'the defaults: sub, no type, no groups';
    is $get->(issuer => 'least', audience => 'least', expires => '-1m'), '401 token_expired ,,',
        '... and half a minute';
    is $get->(issuer => 'least', audience => 'least', key => 'rs256', alg => 'PS256'),
        '401 algorithm_refused ,,', '... and the algorithm of the key';
    $server->stop;
};

subtest 'a file is relative to the directory of the configuration' => sub {
    my $relative = '../' . basename($directory) . '/relative.jwks';
    my $text = "mesh_issuer idp { issuer a; audience a; jwks $relative; }";
    config_refused($text, qr/No such file or directory/, 'as long as it is not there');
    write_file('relative.jwks', slurp(key_path('idp.jwks')));
    config_accepted($text, 'once it is there');
};

# A block of which one line is replaced, or added, or missing.
sub issuer_block (%lines) {
    my %all = (issuer => 'issuer a;', audience => 'audience a;', jwks => 'jwks %%KEYS%%/idp.jwks;', %lines);
    my $text = join '', map { defined $all{$_} ? "    $all{$_}\n" : '' } sort keys %all;
    return "# The first line.\nmesh_issuer idp {\n$text}\n";
}

subtest 'values that are refused, with their file and line' => sub {
    my @wrong = (
        ['issuer', '', 'issuer: invalid number of arguments'],
        ['issuer', 'a b', 'issuer: invalid number of arguments'],
        ['issuer', '""', 'issuer: the issuer is empty'],
        ['audience', '', 'audience: invalid number of arguments'],
        ['audience', 'a ""', 'audience: an audience is empty'],
        ['audience', join(' ', 1 .. 65), 'audience: invalid number of arguments'],
        ['jwks', '', 'jwks: invalid number of arguments'],
        ['jwks', 'a b', 'jwks: invalid number of arguments'],
        ['jwks', '""', q(jwks: the file's name is empty)],
        ['jwks', 'http://idp.example/jwks', 'jwks: "http://idp.example/jwks" is plain http to another host'],
        ['jwks', 'https://me:secret@idp.example/', 'holds credentials'],
        ['jwks', 'https://idp.example:0/', 'is not an absolute URL'],
        (map { ['algorithms', $_, qq(algorithms: "$_" is not one of EdDSA ES256)] }
            qw(none HS256 HS512 rs256 RSA ES521 ES256k Ed448)),
        ['algorithms', 'RS256 none', 'algorithms: "none" is not one of'],
        ['algorithms', '', 'algorithms: invalid number of arguments'],
        (map { ['leeway', $_, qq(leeway: "$_" is not a time such as 30s)] } qw(-1s s 1.5s 1w 1ms 1s1 +1 99999999999999999999)),
        ['leeway', '301s', 'leeway: "301s" is over 5m'],
        ['leeway', '6m', 'leeway: "6m" is over 5m'],
        ['leeway', '1s 1s', 'leeway: invalid number of arguments'],
        ['max_lifetime', '0', 'max_lifetime: must be over 0'],
        ['max_lifetime', 'forever', 'max_lifetime: "forever" is not a time'],
        ['token_type', '""', 'token_type: the type is empty'],
        ['token_type', 'a b', 'token_type: invalid number of arguments'],
        (map { ['service_claim', $_, qq(service_claim: "$_" is not a JSON pointer such as)] } qw(sub /a~2 /a~ .sub)),
        ['service_claim', '""', 'service_claim: "" is not a JSON pointer'],
        ['service_claim', '/azp /azp', 'service_claim: names a claim twice'],
        ['service_claim', '/azp sub', 'service_claim: "sub" is not a JSON pointer'],
        ['service_arn', 'yes', 'service_arn: "yes" is not on or off'],
        ['issuer', '"https://a/{tid}"', 'holds "{tenantid}" once, if at all'],
        (map { ['tenants', $_, qq(tenants: "$_" is not a GUID in lower case)] }
            qw(common * 8C1B5A2E-0F3D-4B6A-9C7E-1D2F3A4B5C6D 8c1b5a2e0f3d4b6a9c7e1d2f3a4b5c6d)),
        ['alb', 'edge', 'alb: "edge" is not the ARN of an application load balancer'],
        ['spiffe_trust_domain', 'spiffe://prod.example', 'spiffe_trust_domain: "spiffe://prod.example": trust domain has'],
        ['groups_claim', 'groups', 'groups_claim: "groups" is not a JSON pointer'],
        ['groups_claim', '/a /b', 'groups_claim: invalid number of arguments'],
        ['discovery', 'on', 'discovery: "on" is not an absolute URL'],
        ['refresh', '0', 'refresh: "0" is not a time from 1 to 604800 seconds'],
        ['trusted_certificate', '""', q(trusted_certificate: the file's name is empty)],
        ['mesh_zone', '8m', 'mesh_zone: unknown directive "mesh_zone"'],
    );
    refused_at(issuer_block($_->[0] => "$_->[0] $_->[1]; # here"), $_->[2], "$_->[0] $_->[1]") for @wrong;
};

subtest 'a directive stands once' => sub {
    my %value = (
        issuer => 'b', audience => 'b', jwks => 'b', algorithms => 'RS256', leeway => '1s', max_lifetime => '1s',
        token_type => 'JWT', service_claim => '/a', groups_claim => '/a',
        service_arn => 'on', spiffe_trust_domain => 'prod.example',
    );
    refused_at(issuer_block($_ => "$_ $value{$_};\n    $_ $value{$_}; # here"), "$_: is duplicate") for sort keys %value;
};

subtest 'what must be there' => sub {
    for my $missing (qw(issuer audience)) {
        my $text = issuer_block($missing => undef) =~ s/\{$/{ # here/mr;
        refused_at($text, qq(mesh_issuer "idp" has no "$missing"));
    }
    refused_at("mesh_issuer idp { } # here\n", 'mesh_issuer "idp" has no "issuer"');
    my $arn = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/edge/50dc6c495c0c9188';
    for (
        [{ issuer => 'issuer "https://a/{tenantid}/";' }, 'has "{tenantid}" in its issuer, and no "tenants"'],
        [{ z => 'tenants 8c1b5a2e-0f3d-4b6a-9c7e-1d2f3a4b5c6d;' }, 'has "tenants", and no "{tenantid}" in its issuer'],
        [{ jwks => "alb $arn;" }, 'has "alb", and no "alb_keys" or "jwks" with the keys of load balancers'],
        [{ y => "alb $arn;", z => 'spiffe_trust_domain prod.example;' }, 'has both "alb" and "spiffe_trust_domain"'],
    ) {
        my ($lines, $message) = @$_;
        refused_at(issuer_block(%$lines) =~ s/\{$/{ # here/mr, $message);
    }
};

subtest 'the block itself' => sub {
    refused_at("\nmesh_issuer { } # here\n", 'invalid number of arguments in "mesh_issuer"');
    refused_at("\nmesh_issuer a b { } # here\n", 'mesh_issuer: invalid number of arguments');
    refused_at("mesh_issuer idp; # here\n", 'directive "mesh_issuer" has no opening "{"');
    refused_at(qq(mesh_issuer "$_" { } # here\n), qq(mesh_issuer: issuer name "$_" may hold letters))
        for '', 'a b', 'a/b', 'a"b' =~ s/"/'/r, 'a$b';
    refused_at(issuer_block() . "\nmesh_issuer idp { # here\n}\n", 'mesh_issuer: issuer "idp" is duplicate');
    refused_at(issuer_block() . "\nmesh_issuer two { # here\n issuer a; audience b; jwks c;\n}\n",
        'issuer "a" already belongs to mesh_issuer "idp"');
    refused_at(issuer_block(z => 'inner { # here'), 'unexpected "{"');
    refused_at("server {\n mesh_issuer idp { } # here\n}\n", '"mesh_issuer" directive is not allowed here');
    refused_at("issuer a; # here\n", 'unknown directive "issuer"');
    refused_at("mesh_issuer idp {\n issuer a; # here", 'unexpected end of file, expecting "}"');
};

subtest 'include' => sub {
    refused_at(issuer_block(z => 'include; # here'), 'invalid number of arguments in "include"', 'of nothing');
    refused_at(issuer_block(z => 'include a b; # here'), 'invalid number of arguments in "include"', 'of two');
    config_refused(issuer_block(z => "include $directory/none.conf;"), qr{open\(\) "\Q$directory\E/none.conf" failed},
        'of a file that is not there');
    my $wrong = write_file('wrong.conf', "\n\nleeway never;\n");
    config_refused(issuer_block(z => "include $wrong;"), qr/leeway: "never" is not a time.* in \Q$wrong:3\E$/m,
        'a fault in it is named with its own file and line');
    config_accepted(issuer_block(z => "include $directory/none*.conf;"), 'a pattern may match nothing');
};

subtest 'key sets that are refused at the start' => sub {
    my %sets = (
        'no file' => [undef, qr/No such file/],
        'an empty file' => ['', qr/file is empty/],
        'white space' => ["\n \n", qr/empty JWK set/],
        'no JSON' => ['keys', qr/invalid JSON at line 1 column 1/],
        'an HTML page' => ["<html>\n", qr/invalid JSON at line 1/],
        'a member twice' => ['{"keys":[],"keys":[]}', qr/duplicate member at line 1 column \d+/],
        'no keys member' => ['{}', qr/the array "keys" is missing/],
        'keys that are no array' => ['{"keys":{}}', qr/the array "keys" is missing/],
        'no key' => ['{"keys":[]}', qr/no usable key/],
        'a symmetric key' => ['{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}', qr/no usable key: key "a": symmetric key/],
        'more than 1,000 keys' => ['{"keys":[' . join(',', ('{}') x 1001) . ']}', qr/more than 1000 keys/],
        'over 4 MiB' => [' ' x (1 << 22) . '{"keys":[]}', qr/4194304/],
    );
    for my $name (sort keys %sets) {
        my ($text, $message) = $sets{$name}->@*;
        my $file = $directory . '/' . ($name =~ tr/ /-/r) . '.jwks';
        spew($file, $text) if defined $text;
        config_refused(issuer_block(jwks => "jwks $file;"),
            qr/\[emerg\].*jwks file "\Q$file\E" of mesh_issuer "idp": .*$message/, $name);
    }
    config_refused(issuer_block(jwks => "jwks $directory;"), qr/jwks file "\Q$directory\E".*: /, 'a directory');
};

subtest 'keys that are skipped are named, and the others count' => sub {
    my $set = JSON::PP::decode_json(slurp(key_path('idp.jwks')));
    push $set->{keys}->@*, { kty => 'oct', k => 'AAAA', kid => 'secret' };
    my $file = write_file('mixed.jwks', json($set));
    config_accepted(issuer_block(jwks => "jwks $file;"), 'a set with a key that is not for us',
        says => qr/\[warn\].*"\Q$file\E" of mesh_issuer "idp": key "secret": symmetric key/);
};

done_testing;
