# Each variable says what it should, in each phase: in logs, maps, limits and headers.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my @IDENTITY = qw(service principal issuer spiffe_id trust_domain groups method);
my @OUTCOME = qw(decision rule reason limit_remaining);

my $upstream = Test::Mesh::Upstream->start;
my %insert = (
    UPSTREAM => $upstream->url,
    LOG => join('', map { "$_=\$mesh_$_;" } @IDENTITY, @OUTCOME, 'time'),
    EARLY => join("\n", map { "set \$early_$_ \$mesh_$_;" } @IDENTITY, @OUTCOME, 'time'),
    SHOWN => join('', map { "$_=\$early_$_;" } @IDENTITY, @OUTCOME, 'time'),
);
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%(UPSTREAM|LOG|EARLY|SHOWN)%%/$insert{$1}/gr);
include %%KEYS%%/issuers.conf;
log_format variables escape=none '$uri|%%LOG%%';
access_log %%ROOT%%/logs/variables.log variables;
map $mesh_service $tier { default none; orders-api gold; "~^spiffe://" mesh; }
map $mesh_groups $is_admin { default no; "~\"admin\"" yes; }
limit_req_zone $mesh_service zone=services:1m rate=1r/m;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    add_header Reason $mesh_reason always;
    location /off { empty_gif; }
    location /any { mesh_authenticate any; empty_gif; }
    location /limited { mesh_authenticate token; mesh_limit a rate=1r/h burst=1; empty_gif; }
    location /dry { mesh_authenticate token; mesh_dry_run all; empty_gif; }
    location /early {
        mesh_authenticate any;
        %%EARLY%%
        add_header Early "%%SHOWN%%" always;
        add_header Decision $mesh_decision always;
        add_header Reason $mesh_reason always;
        empty_gif;
    }
    location /map {
        mesh_authenticate any;
        add_header Tier $tier always;
        add_header Admin $is_admin always;
        empty_gif;
    }
    location /if {
        mesh_authenticate token;
        set $backend none;
        if ($mesh_service = orders-api) { set $backend orders; }
        add_header Backend $backend always;
        empty_gif;
    }
    location /limit_req { mesh_authenticate token; limit_req zone=services; empty_gif; }
    location /proxy {
        mesh_authenticate token;
        proxy_set_header Seen "$mesh_service $mesh_decision $mesh_rule";
        proxy_pass %%UPSTREAM%%/of/$mesh_service;
    }
}
CONF

# The variables as a hash, without those that are empty.
sub read_variables ($text) {
    return { map { /\A(\w+)=(.+)\z/s ? ($1 => $2) : () } split /;/, $text };
}

my $requests = 0;

# What the access log says of the last request.
sub logged_variables ($target) {
    my $found;
    $server->await("a line of $target", sub {
        my $log = slurp($server->root . '/logs/variables.log');
        ($found) = $log =~ m{^\Q$target\E/$requests\|(.*)\n}m;
    });
    return read_variables($found);
}

my $groups = bearer(claims => { groups => ['data-eng', 'admin'] });
my $spiffe = 'spiffe://prod.example/ns/shop/sa/orders-api';
my %token = (service => 'orders-api', principal => 'orders-api', issuer => 'idp', method => 'token');
my %certificate = (
    service => $spiffe, principal => $spiffe, spiffe_id => $spiffe, trust_domain => 'prod.example',
    method => 'certificate',
);
my %allowed = (decision => 'allowed', rule => 'no-policy');

# A request by a path of its own, so that the log tells it from others.
sub ask_as ($certificate, $target, @headers) {
    return $server->get_as($certificate, $target . '/' . ++$requests, @headers);
}

sub is_logged ($name, $target, $expected) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $variables = logged_variables($target);
    my $time = delete $variables->{time};
    is_deeply $variables, $expected, $name;
    return $time;
}

subtest 'the access log' => sub {
    ask_as(undef, '/any', $groups);
    my $time = is_logged('of a token', '/any', { %token, %allowed, groups => '["data-eng","admin"]' });
    like $time, qr/\A\d+\z/, '... with the microseconds that it took';
    ask_as('spiffe', '/any');
    is_logged('of a certificate', '/any', { %certificate, %allowed });
    ask_as('spiffe', '/any', bearer());
    is_logged('of both', '/any', { %certificate, %token, %allowed, method => 'token certificate' });
    ask_as(undef, '/any');
    is_logged('of nobody', '/any', { decision => 'refused', reason => 'credential_missing' });
    ask_as(undef, '/any', bearer(expires => '-1h'));
    is_logged('of a bad token', '/any', { decision => 'refused', reason => 'token_expired' });
    ask_as('spiffe', '/off', bearer());
    is is_logged('where nobody is authenticated', '/off', {}), undef, '... and no time';
    ask_as(undef, '/limited', bearer(subject => 'limited'));
    my %limited = (%token, service => 'limited', principal => 'limited');
    is_logged('of a limit', '/limited', { %limited, %allowed, limit_remaining => 1 });
    ask_as(undef, '/limited', bearer(subject => 'limited')) for 1, 2;
    is_logged('of a limit that is reached', '/limited',
        { %limited, decision => 'refused', reason => 'limited', limit_remaining => 0 });
    ask_as(undef, '/dry', bearer(expires => '-1h'));
    is_logged('of a dry run', '/dry', { decision => 'dry_run', rule => 'dry-run', reason => 'token_expired' });
    ask_as(undef, '/dry', bearer());
    is_logged('of a dry run of what is allowed', '/dry', { %token, %allowed });
};

subtest 'before the access phase' => sub {
    my $response = ask_as(undef, '/early', $groups);
    is_deeply read_variables($response->{headers}{early}), { %token, groups => '["data-eng","admin"]' },
        'there is an identity, and no outcome';
    is $response->{headers}{decision}, 'allowed', '... and what was empty is not remembered';
    is_deeply read_variables(ask_as('spiffe', '/early')->{headers}{early}), \%certificate, 'also of a certificate';
    $response = ask_as(undef, '/early', bearer(expires => '-1h'));
    is verdict($response), '401 token_expired', 'who is refused';
    is_deeply read_variables($response->{headers}{early}), {}, '... has no identity';
    is verdict(ask_as(undef, '/early')), '401 credential_missing', 'nor has nobody';
};

subtest 'map and if' => sub {
    my $shown = sub ($response) { join ' ', map { $_ // '-' } @{ $response->{headers} }{qw(tier admin)} };
    is $shown->(ask_as(undef, '/map', $groups)), 'gold yes', 'a token';
    is $shown->(ask_as(undef, '/map', bearer(subject => 'etl'))), 'none no', 'another one';
    is $shown->(ask_as('spiffe', '/map')), 'mesh no', 'a certificate';
    is $shown->(ask_as(undef, '/map')), 'none no', 'nobody';
    is ask_as(undef, '/if', bearer())->{headers}{backend}, 'orders', 'if in the rewrite phase';
    is ask_as(undef, '/if', bearer(subject => 'etl'))->{headers}{backend}, 'none', '... of another service';
};

subtest 'limit_req counts by a verified service' => sub {
    my %seen = map { my $subject = $_; $subject => [map { $server->get('/limit_req', bearer(subject => $subject))->{status} } 1 .. 2] }
        qw(a b);
    is_deeply $seen{$_}, [200, 503], "$_ has a bucket of its own" for qw(a b);
    is_deeply [map { verdict($server->get('/limit_req')) } 1 .. 3], [('401 credential_missing') x 3],
        'an empty key is not counted';
    is_deeply [map { verdict($server->get('/limit_req', bearer(subject => 'c', key => 'other', issuer => 'https://idp.example'))) } 1 .. 3],
        [('401 unknown_key') x 3], 'nor is a name that nobody verified';
    is $server->get('/limit_req', bearer(subject => 'c'))->{status}, 200, '... so that its owner does not pay';
};

subtest 'upstream' => sub {
    my $response = $server->get('/proxy', bearer(subject => 'etl'));
    like $response->{body}, qr{\AGET /of/etl HTTP}, 'a variable may be in proxy_pass';
    like $response->{body}, qr/^Seen: etl allowed no-policy\r$/m, '... and in a header';
};

$server->stop;
$upstream->stop;

done_testing;
