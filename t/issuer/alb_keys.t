# The key of a load balancer is fetched by its name when a token names it, and verifies the tokens of our
# load balancers alone.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

use Test::Mesh::Credentials;
use Test::Mesh::Forge qw(compact es256 json);
use Test::Mesh::Response;
use Test::Mesh::Server;

my $directory = tempdir('alb-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $directory;
mkdir "$directory/www" or die "mkdir: $!\n";
my $arn = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/edge/50dc6c495c0c9188';
my ($one, $other, $made_up) = map { "0a1b2c3d-4e5f-6789-abcd-ef012345678$_" } 0 .. 2;

# Makes the key of that name; it is not published yet.
sub make ($kid) {
    my $key = "$directory/$kid.key";
    system("openssl ecparam -name prime256v1 -genkey -noout -out $key") == 0 or die "openssl failed\n";
    system("openssl ec -in $key -pubout -out $directory/$kid.pem 2>/dev/null") == 0 or die "openssl failed\n";
    return;
}

sub publish_key ($kid) {
    rename "$directory/$kid.pem", "$directory/www/$kid" or die "rename: $!\n";
    return;
}

# What a load balancer says of a user.
sub said ($kid, %header) {
    my $key = exists $header{by} ? delete $header{by} : $kid;
    my $header = {
        typ => 'JWT', alg => 'ES256', kid => $kid, signer => $arn, iss => 'https://idp.example',
        client => 'mesh', exp => time + 120, %header,
    };
    my $claims = { sub => 'orders-api', exp => $header->{exp}, iss => $header->{iss} };
    return 'X-Amzn-Oidc-Data: ' . compact(json($header), json($claims), sub ($input) { es256($input, "$directory/$key.key") });
}

make($_) for $one, $other;
publish_key($one);

my $store = Test::Mesh::Server->start(<<'CONF' =~ s/ROOT/$directory/r, name => 'the store');
server {
    %%TLS%%
    root ROOT/www;
    error_page 404 =403 /none;
    log_not_found off;
}
CONF
my $url = 'https://localhost:' . $store->port('tls') . '/';
my $block = <<"END";
mesh_issuer balancer {
    issuer https://idp.example;
    audience mesh;
    alb $arn;
    alb_keys $url;
    trusted_certificate %%KEYS%%/ca.pem;
    min_refresh 1s;
}
END
my $server = Test::Mesh::Server->start($block . <<'CONF', workers => 2);
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    location / {
        mesh_authenticate token;
        mesh_token_source header X-Amzn-Oidc-Data;
        add_header Reason $mesh_reason always;
        add_header Service $mesh_service always;
        empty_gif;
    }
}
CONF

sub verdict_for (@said) { return verdict($server->get('/', said(@said))) }

# Asks until the answer is the one that is waited for.
sub until_admitted ($kid) {
    $server->await("key $kid", sub { verdict_for($kid) =~ /\A200/ });
    return pass "the key $kid came";
}

sub asked () { return [$store->access_log =~ m{"GET (\S+) HTTP/1\.1" \d+}g] }

subtest 'nothing is fetched until a token names a key' => sub {
    is_deeply asked(), [], 'nothing at the start';
    is verdict_for('../../secret', by => $one), '503 keys_unavailable', 'a name that is no UUID';
    sleep 0.5;
    is_deeply asked(), [], '... leads nowhere';
    is verdict_for($one), '503 keys_unavailable', 'the first token';
    until_admitted($one);
    is_deeply asked(), ["/$one"], '... had its key fetched, once for all workers';
};

subtest 'the key verifies what our load balancers say, and no more' => sub {
    my $foreign = $arn =~ s/123456789012/210987654321/r;
    is verdict_for($one), '200', 'ours';
    like verdict_for($one, signer => $foreign), qr/\A401 /, q(somebody else's);
    is verdict_for($one, by => $other), '401 signature_invalid', 'another key';
};

subtest 'a further key joins those that are there' => sub {
    is verdict_for($made_up, by => $one), '401 unknown_key', 'a key that is in no store';
    publish_key($other);
    until_admitted($other);
    is verdict_for($one), '200', 'the first is still there';
    is((grep { $_ eq "/$made_up" } asked()->@*) + 0, 1, 'what is in no store is let be');
};

$server->stop;
$store->stop;

subtest 'what the block must say' => sub {
    (my $valid = $block) =~ s/%%KEYS%%\/ca\.pem/key_path('ca.pem')/e;
    config_accepted($valid, 'as it is');
    for (
        [qr/alb arn\S+;/, '', 'has "alb_keys" without "alb"'],
        [qr/min_refresh/, "jwks https://a/; min_refresh", 'has both "jwks" and "alb_keys"'],
        [qr/min_refresh/, "discovery https://a/; min_refresh", 'has both "discovery" and "alb_keys"'],
    ) {
        my ($old, $new, $message) = @$_;
        config_refused($valid =~ s/$old/$new/r, qr/mesh_issuer "balancer" \Q$message\E/, $message);
    }
    my $message = qr/alb_keys: "\S+" does not end in a slash/;
    config_refused($valid =~ s/alb_keys \S+;/alb_keys https:\/\/a\/b;/r, $message, 'no slash');
};

done_testing;
