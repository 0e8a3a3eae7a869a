# Nothing of a credential or a key is in the logs, whatever is sent: at notice not a byte of them, at
# debug none but where Nginx itself writes down what it received.

use v5.36;

use lib 't/lib';

use MIME::Base64 qw(encode_base64url);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $conf = <<'CONF' . <<"CONF";
include %%KEYS%%/issuers.conf;
mesh_claim $claim_secret /secret;
mesh_claim $claim_email /email;
mesh_log_level notice;
mesh_failure_limit rate=1000r/s burst=1000;
log_format all '$remote_addr "$request" $status $mesh_service $mesh_principal $mesh_issuer '
    '$mesh_groups $mesh_method $mesh_decision $mesh_reason';
large_client_header_buffers 4 32k;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional_no_ca;
    access_log %%ROOT%%/logs/mesh.log all;
CONF
    location /token { mesh_authenticate token; proxy_pass @{[$upstream->url]}; }
    location /any { mesh_authenticate any; proxy_pass @{[$upstream->url]}; }
    location /certificate { mesh_authenticate certificate; proxy_pass @{[$upstream->url]}; }
    location /forward {
        mesh_authenticate token;
        mesh_forward_credential on;
        proxy_pass @{[$upstream->url]};
    }
    location /claim {
        mesh_authenticate token;
        mesh_require_claim /secret other;
        proxy_pass @{[$upstream->url]};
    }
    location /limited {
        mesh_authenticate token;
        mesh_limit calls rate=1r/h;
        proxy_pass @{[$upstream->url]};
    }
    location /dry {
        mesh_authenticate token;
        mesh_dry_run all;
        proxy_pass @{[$upstream->url]};
    }
}
CONF

my $secret = 'c0nfidential-claim-of-a-token';
my @tokens = map { token($_->%*) }
    {}, { key => 'rs256' }, { key => 'eddsa' }, { key => 'other' },
    { expires => '-1h' }, { audience => 'elsewhere' }, { issuer => 'https://nobody.example' },
    { subject => undef }, { key => 'other', issuer => 'https://idp.example' },
    { claims => { secret => $secret, email => $secret } },
    { thumbprint_of => key_path('spiffe.pem') };
my ($head, $payload, $signature) = split /\./, $tokens[0];
my $part = sub ($json) { return encode_base64url($json, '') };
push @tokens,
    "$head.$payload." . reverse($signature),
    "$head.$payload.",
    "$head.$payload",
    "$head.$payload.$signature.$signature",
    join('.', $part->('{"alg":"none"}'), $payload, ''),
    join('.', $part->('{"alg":"HS256","kid":"es256"}'), $payload, $signature),
    join('.', $part->(qq({"alg":"ES256","kid":"$secret"})), $payload, $signature),
    join('.', $part->(qq({"alg":"$secret","kid":"es256"})), $payload, $signature),
    join('.', $part->(qq({"alg":"ES256","alg":"$secret"})), $payload, $signature),
    join('.', $part->(qq({"alg":"ES256","crit":["$secret"]})), $payload, $signature),
    join('.', $head, $part->(qq({"iss":"$secret","iss":"$secret"})), $signature),
    join('.', $head, $part->(qq({"iss":"$secret")), $signature),
    join('.', $head, $part->("{\"iss\":\"$secret\xff\"}"), $signature),
    join('.', $head, $part->('{"a":' x 40), $signature),
    join('.', $head, $payload . 'A' x 17_000, $signature);

# What must not be seen: long pieces of tokens and claims, and of the keys that we know.
my %seen;
my @pieces = grep { length >= 20 && !$seen{$_}++ } map { split /\./ } @tokens;
my @basic = (encode_base64url("user:$secret"), $secret);
my @keys = map { slurp(key_path($_)) =~ /"(?:d|x|y|n|p|q)"\s*:\s*"([\w-]+)"/g }
    qw(es256.jwk rs256.jwk eddsa.jwk idp.jwks);
my @pem = map { grep { length > 40 } split /\n/, slurp(key_path($_)) } qw(spiffe.pem spiffe.key server.key);
# A part of each is enough to give it away.
my @forbidden = map { substr $_, -20 } @pieces, @basic, @keys, @pem;
ok @keys > 10 && @pem > 5 && @pieces > 20, 'there is something to look for';

for my $level (qw(notice debug)) {
    my $server = Test::Mesh::Server->start($conf, log_level => $level, name => "nginx at $level");
    # At debug, Nginx itself writes down what goes upstream; below notice, doubled fields.
    my $is_debug = $level eq 'debug';
    my %statuses = tour($server, $is_debug ? () : ('/forward', '/dry'));
    is twice($server), 2, "$level: two tokens are refused" unless $is_debug;
    is_deeply [sort keys %statuses], [200, 400, 401, 403, 429], 'requests of all kinds were sent'
        or diag explain \%statuses;
    my $log = $server->error_log;
    my @ours = $log =~ /.*mesh refuses.*/g;
    cmp_ok scalar @ours, '>', 60, "$level: refusals are logged";
    is_deeply [found(@ours)], [], "$level: with nothing of a credential";

    my @lines = split /\n/, $log;
    # And what it received, which is not ours to say.
    @lines = grep { !/\[debug\].*http (?:header: "|process request)/ } @lines if $is_debug;
    is_deeply [found(@lines)], [], "$level: nor is there anything in another line";
    is_deeply [found(slurp($server->root . '/logs/mesh.log'))], [], "$level: nor in the access log";
    $server->stop;
}

done_testing;

# Sends two tokens at once, and counts the refusals.
sub twice ($server) {
    my @headers = ("Authorization: Bearer $tokens[0]", "Authorization: Bearer $tokens[1]");
    return grep { $server->get($_, @headers)->{status} == 400 } '/token', '/any';
}

# Sends all tokens everywhere, and counts what comes back.
sub tour ($server, @more) {
    my %statuses;
    my $send = sub ($target, @headers) { $statuses{ $server->get($target, @headers)->{status} }++ };
    my $send_as = sub ($name, $target, @headers) { $statuses{ $server->get_as($name, $target, @headers)->{status} }++ };
    for my $target (qw(/token /any /claim /limited /limited), @more) {
        $send->($target, bearer_of($_)) for @tokens;
        $send->($target);
        $send->($target, "Authorization: Basic $basic[0]");
        $send->($target, bearer_of($secret));
        $send->($target, "Authorization: $secret");
    }
    for my $name (qw(none spiffe spiffe-two-uris two-dns cn-only expired ca-leaf foreign)) {
        for my $target (qw(/token /any /certificate)) {
            $send_as->($name, $target);
            # Where tokens are not read, they go upstream as they are.
            next if $target eq '/certificate' && !@more;
            $send_as->($name, $target, bearer_of($_)) for @tokens[0, 10, 11];
        }
    }
    return %statuses;
}

# The lines that hold what they must not: where it was found, and not what.
sub found (@lines) {
    my $pattern = join '|', map { quotemeta } @forbidden;
    return map { s/(?:$pattern)/[found]/gr } grep { /$pattern/ } @lines;
}
