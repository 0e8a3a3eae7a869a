# Who asks an issuer about tokens proves it, by a secret or by a key that may change at any time; and
# who answers may have to prove it too.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep);

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Introspector;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Wait;

my $dir = tempdir('client-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;

sub basic ($text) { return 'Basic ' . encode_base64($text, '') }

# The configuration for an issuer that is asked like that.
sub client_conf ($url, $lines) {
    return <<"CONF" . <<'CONF';
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    introspection $url;
    introspection_timeout 20s;
    $lines
}
CONF
add_header Reason $mesh_reason always;
server {
    listen 127.0.0.1:%%PORT%%;
    location / { mesh_authenticate token; empty_gif; }
}
CONF
}

# What becomes of a token that nobody has seen before.
sub fresh_verdict ($server, $name = 'token') { return verdict($server->get('/', bearer_of(fresh($name)))) }

subtest 'a secret' => sub {
    # What a form escapes, is escaped (RFC 6749 section 2.3.1).
    my $issuer = Test::Mesh::Introspector->start(authorization => basic('a%20gateway:top%3Asecret%2B%25%C3%A9'));
    my $secret = replace("$dir/secret", "top:secret+%\xc3\xa9\n");
    my $server = Test::Mesh::Server->start(client_conf($issuer->url, qq(introspection_client "a gateway" secret=$secret;)));
    is fresh_verdict($server), '200', 'is sent as the issuer reads it';
    replace("$dir/secret", "wrong-secret\r\n");
    is_soon(sub { fresh_verdict($server) }, '503 introspection_unavailable', 'a new one counts without a reload');
    $server->await_log(qr/(the server answers 401 while mesh_issuer "idp" is asked about a token)/);
    replace("$dir/secret", '');
    # Time to look at it, which nothing tells of.
    sleep 1.2;
    is fresh_verdict($server), '503 introspection_unavailable', 'one that is empty is not taken';
    replace("$dir/secret", "top:secret+%\xc3\xa9");
    is_soon(sub { fresh_verdict($server) }, '200', 'the right one again');
    unlink $secret;
    sleep 1.2;
    is fresh_verdict($server), '200', 'it stays when its file is gone';
    my %sent = map { $_->{authorization} => 1 } $issuer->questions;
    is_deeply [sort keys %sent], 
        [sort map { basic("a%20gateway:$_") } 'top%3Asecret%2B%25%C3%A9', 'wrong-secret'],
        'no other was ever sent';
    $server->stop;
    my $encoded = substr encode_base64('a%20gateway:'), 0, 14;
    unlike $server->error_log, qr/secret\+|wrong-secret|\Q$encoded\E|token-\d/,
        'neither secrets nor tokens are in the log';
    $issuer->stop;
};

subtest 'a secret in the form' => sub {
    my $issuer = Test::Mesh::Introspector->start;
    my $secret = replace("$dir/posted", "top:secret&+%\n");
    my $server = Test::Mesh::Server->start(
        client_conf($issuer->url, qq(introspection_client "a gateway" secret=$secret method=client_secret_post;)));
    is fresh_verdict($server), '200', 'is taken';
    my ($question) = $issuer->questions;
    is_deeply [@{ $question->{form} }{qw(client_id client_secret)}], ['a gateway', 'top:secret&+%'], 'as it is';
    ok !$question->{authorization}, 'and nothing is in the header';
    $server->stop;
    unlike $server->error_log, qr/top.{1,3}secret/, 'the secret is not in the log';
    $issuer->stop;
};

subtest 'a private key' => sub {
    my $issuer = Test::Mesh::Introspector->start;
    my %key;
    for my $alg (qw(ES256 ES384 RS256 EdDSA)) {
        $key{$alg} = "$dir/$alg.jwk";
        meshctl('key', 'generate', '--alg', $alg, '--kid', "client-$alg", '--out', $key{$alg}, '--jwks', "$dir/$alg.jwks");
    }
    my @cases = (
        (map { [$_, $key{$_}, '', $_] } sort keys %key),
        ['an EC key in PEM', key_path('spiffe.key'), '', undef],
    );
    for my $case (@cases) {
        my ($name, $file, $more, $set) = @$case;
        my $server = Test::Mesh::Server->start(client_conf($issuer->url, "introspection_client gateway key=$file $more;"));
        is fresh_verdict($server), '200', $name;
        is fresh_verdict($server), '200', '... twice';
        $server->stop;
        my ($one, $two) = (my @all = $issuer->questions)[-2, -1];
        is $one->{authorization}, undef, '... no secret is sent';
        is $one->{form}{client_id}, 'gateway', '... but who asks';
        is $one->{form}{client_assertion_type}, 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', '... and how';
        isnt $one->{form}{client_assertion}, $two->{form}{client_assertion}, '... each time anew';
        my $claims = claims_of($one->{form}{client_assertion});
        is_deeply [@$claims{qw(iss sub aud)}], ['gateway', 'gateway', 'https://idp.example'], '... for this issuer';
        is $claims->{exp} - $claims->{iat}, 60, '... for a minute';
        next if !$set;
        is_deeply header_of($one->{form}{client_assertion}), { alg => $set, kid => "client-$set", typ => 'JWT' }, '... by the named key';
        is meshctl('token', 'verify', '--jwks', "$dir/$set.jwks", '--issuer', 'gateway', '--audience', 'https://idp.example',
            $one->{form}{client_assertion}) =~ s/\s.*//sr, 'accepted', '... whose signature is valid';
    }
    my $server = Test::Mesh::Server->start(client_conf($issuer->url, "introspection_client gateway key=$key{RS256};"));
    rename $key{ES256}, $key{RS256} or die "rename: $!\n";
    my $alg = sub () {
        fresh_verdict($server);
        return header_of(($issuer->questions)[-1]{form}{client_assertion})->{alg};
    };
    is_soon($alg, 'ES256', 'a new key counts without a reload');
    $server->stop;
    $issuer->stop;
};

subtest 'a signed answer' => sub {
    my $typ = 'token-introspection+jwt';
    my $type = "application/$typ";
    # By the beginning of the token: what is minted, and as what it comes.
    my %answers = (
        good => [{}, $type],
        list => [{ audience => ['other', 'gateway'] }, $type],
        inactive => [{ claims => { token_introspection => { active => JSON::PP::false } } }, $type],
        audience => [{ audience => 'other' }, $type],
        issuer => [{ issuer => 'https://other.example' }, $type],
        key => [{ key => 'other', issuer => 'https://idp.example' }, $type],
        typ => [{ typ => 'at+jwt' }, $type],
        media => [{}, 'application/json'],
    );
    my $issuer = Test::Mesh::Introspector->start(answer => sub ($question, $mode) {
        my ($name) = $question->{form}{token} =~ /\A([a-z]+)/;
        return $type, { active => JSON::PP::true, sub => 'etl', aud => 'mesh' } if $name eq 'plain';
        my ($options, $as) = $answers{$name}->@*;
        my $claims = { token_introspection => { active => JSON::PP::true, sub => 'etl', aud => 'mesh' } };
        return $as, token(typ => $typ, audience => 'gateway', subject => undef, claims => $claims, %$options);
    });
    my $secret = replace("$dir/signed", 'secret');
    my $server = Test::Mesh::Server->start(client_conf($issuer->url,
        "introspection_client gateway secret=$secret; introspection_signed on; jwks %%KEYS%%/idp.jwks;"));
    is fresh_verdict($server, 'good'), '200', 'of the issuer, for us';
    is fresh_verdict($server, 'list'), '200', '... among others';
    is fresh_verdict($server, 'inactive'), '401 token_inactive', 'which may say no';
    is fresh_verdict($server, $_), '503 introspection_unavailable', "not by another $_" for qw(audience issuer key typ media plain);
    my ($question) = $issuer->questions;
    is $question->{accept}, $type, 'it is asked for';
    $server->await_log(qr/(the signed answer is for another client while)/);
    $server->stop;
    $issuer->stop;
};

subtest 'TLS' => sub {
    my $issuer = Test::Mesh::Introspector->start;
    my $secret = replace("$dir/tls", 'secret');
    my $front = <<"CONF" . <<'CONF' =~ s/ISSUER/$issuer->port/ger;
mesh_issuer %s {
    issuer https://%s.example;
    audience mesh;
    introspection https://localhost:%%%%PORT:tls%%%%/introspect;
    introspection_client gateway secret=$secret;
    trusted_certificate %%%%KEYS%%%%/%s.pem;
}
CONF
server {
    %%TLS%%
    location / { proxy_pass http://127.0.0.1:ISSUER; }
}
add_header Reason $mesh_reason always;
server {
    listen 127.0.0.1:%%PORT%%;
    location / { mesh_authenticate token; empty_gif; }
}
CONF
    for my $row (['idp', 'ca', '200'], ['idp', 'other-ca', '503 introspection_unavailable']) {
        my ($name, $ca, $verdict) = @$row;
        my ($block, $rest) = $front =~ /\A(.*?^\}\n)(.*)\z/ms;
        my $server = Test::Mesh::Server->start(sprintf($block, $name, $name, $ca) . $rest);
        is fresh_verdict($server), $verdict, "a server whose authority is that of $ca.pem is $ca";
        $server->stop;
    }
    is_deeply [map { $_->{form}{token} =~ /token/ ? 1 : 0 } $issuer->questions], [1],
        'nothing is said to a server that is not trusted';
    $issuer->stop;
};

my $block = sub (%lines) {
    my %all = (
        issuer => 'issuer https://a.example;', audience => 'audience a;',
        introspection => 'introspection https://a.example/i;',
        introspection_client => "introspection_client gateway secret=$dir/secret-of-config;", %lines,
    );
    my $text = join '', map { defined $all{$_} ? "    $all{$_}\n" : '' } sort keys %all;
    return "# The first line.\nmesh_issuer idp {\n$text}\n";
};
replace("$dir/secret-of-config", "secret\n");

subtest 'what is refused, with its file and line' => sub {
    config_accepted($block->(), 'a good block');
    refused_at($block->($_->[0] => "$_->[0] $_->[1]; # here"), $_->[2], "$_->[0] $_->[1]") for (
        ['introspection', 'http://a.example/i', 'introspection: "http://a.example/i" is plain http to another host'],
        ['introspection', 'https://a.example/i never', 'introspection: "never" is not always'],
        ['introspection_client', 'gateway', 'introspection_client: invalid number of arguments'],
        ['introspection_client', 'gateway password=x', 'introspection_client: "password=x" is not secret=, method=, key= or algorithm='],
        ['introspection_client', 'gateway key=x algorithm=HS256', 'introspection_client: "HS256" is not one of'],
        ['introspection_cache', '0', 'introspection_cache: "0" is not a time from 1 to 86400 seconds'],
        ['introspection_negative', '2d', 'introspection_negative: "2d" is not a time from 1 to 86400 seconds'],
        ['introspection_timeout', '2m', 'introspection_timeout: "2m" is not a time from 1 to 60 seconds'],
        ['introspection_signed', 'yes', 'introspection_signed: "yes" is not on or off'],
        ['introspection_audience', 'none', 'introspection_audience: "none" is not required or optional'],
    );
    my $whole = sub ($text) { return $text =~ s/\{$/{ # here/mr };
    refused_at($whole->($block->(introspection => undef)), 'mesh_issuer "idp" has "introspection_client" without "introspection"');
    refused_at($whole->($block->(introspection_client => undef)), 'mesh_issuer "idp" has "introspection" without "introspection_client"');
    refused_at($whole->($block->(introspection_client => 'introspection_client gateway secret=a key=b;')),
        'mesh_issuer "idp" needs either secret= or key=');
    refused_at($whole->($block->(refresh => 'refresh 1m;')), 'mesh_issuer "idp" fetches no keys, so "refresh" does not apply');
    my $two = $block->() . $block->() =~ s/idp/two/r =~ s{a\.example;}{b.example;}r;
    refused_at($two . "server {\n    mesh_authenticate token; # here\n}\n",
        'mesh_issuer "idp" and "two" both introspect, and an opaque token does not say whose it is');
    config_accepted($two . "server {\n mesh_authenticate token;\n mesh_accept two;\n}\n", 'unless one is named');
};

subtest 'files that are refused or warned of' => sub {
    my %files = (
        'no file' => [undef, qr/No such file/],
        'an empty file' => ['', qr/file is empty/],
        'an empty line' => ["\n", qr/the secret is empty/],
        'two lines' => ["secret\nother\n", qr/the secret holds control characters or several lines/],
        'a large file' => ['a' x 70_000, qr/file is larger than 65536 bytes/],
    );
    for my $name (sort keys %files) {
        my ($text, $message) = $files{$name}->@*;
        my $file = "$dir/bad";
        unlink $file;
        spew($file, $text) if defined $text;
        config_refused($block->(introspection_client => "introspection_client gateway secret=$file;"),
            qr/\[emerg\].*introspection_client file "\Q$file\E" of mesh_issuer "idp": .*$message/, "$name for a secret");
    }
    config_refused($block->(introspection_client => "introspection_client gateway key=$dir/secret-of-config;"),
        qr/introspection_client file ".*" of mesh_issuer "idp": no private key: expected RSA/, 'a secret for a key');
    my $es256 = key_path('es256.jwk');
    config_refused($block->(introspection_client => "introspection_client gateway key=$es256 algorithm=RS256;"),
        qr/the key does not fit the algorithm/, 'a key for another algorithm');
    config_accepted($block->(introspection_client => "introspection_client gateway key=$es256 algorithm=ES256;"), 'one that fits');
    config_refused($block->(trusted_certificate => "trusted_certificate $dir/none.pem;"),
        qr{trusted_certificate file "\Q$dir\E/none.pem" of mesh_issuer "idp": .*No such file}, 'authorities that are not there');
    SKIP: {
        skip 'only root has other users', 1 if $> != 0;
        chmod 0600, "$dir/secret-of-config";
        config_accepted($block->(), 'a secret that workers cannot read', user => 'www-data',
            says => qr/\[warn\].*introspection_client file .* may not be readable by the worker's user/);
    }
};

done_testing;
