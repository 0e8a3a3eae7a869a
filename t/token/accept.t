# mesh_accept says which issuers are believed at a location, and for which audience.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start(<<'CONF');
include %%KEYS%%/issuers.conf;
mesh_authenticate token;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    mesh_accept other;
    location /inherited { empty_gif; }
    location /idp { mesh_accept idp; empty_gif; }
    location /both { mesh_accept idp; mesh_accept other; empty_gif; }
    location /off { mesh_accept off; empty_gif; }
    location /audience { mesh_accept idp audience=kafka; empty_gif; }
    location /audiences { mesh_accept idp audience=kafka audience=mesh; mesh_accept other; empty_gif; }
    location /outer/ {
        mesh_accept idp;
        empty_gif;
        location = /outer/inner { empty_gif; }
        location = /outer/other { mesh_accept other; empty_gif; }
    }
}
server {
    listen 127.0.0.1:%%PORT:default%%;
    add_header Reason $mesh_reason always;
    location / { empty_gif; }
}
CONF

my %token = (
    idp => bearer(), other => bearer(key => 'other'), kafka => bearer(audience => 'kafka'),
    several => bearer(audience => ['a', 'kafka']), elsewhere => bearer(audience => 'elsewhere'),
);
my ($ok, $issuer, $audience) = ('200', '401 issuer_refused', '401 audience_refused');
my %table = (
    # idp, other, kafka, several, elsewhere
    '/inherited' => [$issuer, $ok, ($issuer) x 3],
    '/idp' => [$ok, $issuer, ($audience) x 3],
    '/both' => [$ok, $ok, ($audience) x 3],
    '/off' => [$ok, $ok, ($audience) x 3],
    # In place of the issuer's own audiences, not beside them.
    '/audience' => [$audience, $issuer, $ok, $ok, $audience],
    '/audiences' => [$ok, $ok, $ok, $ok, $audience],
    '/outer/inner' => [$ok, $issuer, ($audience) x 3],
    # In place of the outer list.
    '/outer/other' => [$issuer, $ok, ($issuer) x 3],
);
# Twice: a token that is verified already is judged by the location as a new one is.
for my $time ('at first', 'from the cache') {
    for my $target (sort keys %table) {
        my @verdicts = map { verdict($server->get($target, $token{$_})) } qw(idp other kafka several elsewhere);
        is_deeply \@verdicts, $table{$target}, "$target $time";
    }
}

is verdict($server->request('GET', '/', port => 'default', headers => [$token{$_}])), $ok, "by default $_"
    for qw(idp other);

$server->stop;

done_testing;
