# A reload keeps the counters, and judges every request by the keys and settings of now.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(each_worker request_bytes tally token_server);
use Test::Mesh::Server;

my $dir = tempdir(CLEANUP => 1);
new_keys($dir, qw(first second third));
use_keys('first');
sleep 0.3;

my $conf = <<"CONF" . token_server('calls rate=1r/h burst=9');
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks $dir/keys.json;
}
mesh_zone 1m;
CONF
my $server = Test::Mesh::Server->start($conf, workers => 2);
my %with = (key => "$dir/first.jwk");
my $first = bearer(%with);

# Counters.
is_deeply fire(6), { 200 => 12 - 2, 429 => 2 }, 'a limit is used up';
$server->reload;
is_deeply fire(3), { 429 => 6 }, 'a reload keeps it used up';
$server->reload($conf =~ s/burst=9/burst=14/r);
is_deeply fire(6), { 200 => 5, 429 => 7 }, 'a higher burst adds its difference';
$server->reload($conf =~ s/mesh_zone 1m/mesh_zone 2m/r);
is_deeply fire(6), { 200 => 10, 429 => 2 }, 'a zone of another size starts empty';
$server->reload($conf =~ s/mesh_zone 1m/mesh_zone 2m/r);
is_deeply fire(3), { 429 => 6 }, 'and is kept from then on';

# Keys: not one request may be judged by the old ones.
for my $change ([qw(first second)], [qw(second third)], [qw(third first)]) {
    my ($old, $new) = map { bearer(key => "$dir/$_.jwk") } @$change;
    is status_for($old), 200, "the $change->[0] key is in force";
    use_keys($change->[1]);
    $server->reload($conf);
    my $clients = each_worker($server, '/t');
    for my $client (map { $_->[0] } values %$clients) {
        is $client->request('GET', '/t', headers => [$new])->{status}, 200,
            "a reload takes the $change->[1] key at once";
        is $client->request('GET', '/t', headers => [$old])->{status}, 401, 'and gives up the old one';
    }
}

# Settings, for a token that was verified before.
my @changes = (
    [qr/audience mesh/ => 'audience other', 401, 'another audience'],
    [qr{issuer https://idp} => 'issuer https://new', 401, 'another issuer'],
    [qr/audience mesh/ => 'audience mesh; token_type at+jwt', 401, 'a type'],
    [qr/audience mesh/ => 'audience mesh; max_lifetime 1s', 401, 'a shorter life'],
    [qr/audience mesh/ => 'audience mesh; service_claim /none', 401, 'another service claim'],
    [qr/audience mesh/ => 'audience mesh; algorithms RS256', 401, 'another algorithm', 'bad'],
    [qr/mesh_authenticate token/ => 'mesh_authenticate token; mesh_require_claim /sub x', 403, 'a claim'],
    [qr/mesh_authenticate token/ => 'mesh_authenticate off', 200, 'no authentication'],
);
is status_for($first), 200, 'a token is admitted';
for my $change (@changes) {
    my ($from, $to, $status, $name, $is_bad) = @$change;
    my $new = $conf =~ s/$from/$to/r;
    isnt $new, $conf, "the change is one: $name";
    if ($is_bad) {
        # No key of the file is for that algorithm.
        fire(6);
        ok !eval { $server->reload($new); 1 }, "a reload that cannot be is refused: $name";
        like $@, qr/no usable key/, '... and says why';
        is status_for($first), 200, '... and what was in force stays in force';
        is_deeply fire(2), { 429 => 4 }, '... with its counters';
        next;
    }
    $server->reload($new);
    is status_for($first), $status, "a reload brings it into force: $name";
    $server->reload($conf);
    is status_for($first), 200, '... and takes it back';
}

# A key set that is bad at the reload.
spew("$dir/keys.json", '{');
ok !eval { $server->reload; 1 }, 'a reload with a bad key set is refused';
like $@, qr/\[emerg\].*jwks file "\Q$dir\E.*JSON/, '... and says which and why';
is status_for($first), 200, '... and the last good keys stay';
$server->expect_log(qr/\[emerg\].*(?:jwks file|no usable key)/);
$server->stop;
done_testing;

# What becomes of that many requests to each of both workers.
sub fire ($each) {
    my $clients = each_worker($server, '/t');
    return tally([map { $_->[0] } values %$clients], (request_bytes('/limited', $first)) x $each);
}

sub status_for ($bearer) { return $server->get('/t', $bearer)->{status} }

sub use_keys ($name) { replace("$dir/keys.json", slurp("$dir/$name.set")) }
