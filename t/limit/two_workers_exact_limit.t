# A limit counts exactly across workers: of many requests at once, burst + 1 are admitted.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Load qw(each_worker request_bytes tally);
use Test::Mesh::Server;

my $conf = <<'CONF';
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
    service_claim /azp;
}
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:reuse%% reuseport;
    add_header X-Worker $pid always;
    location = /worker {
        empty_gif;
    }
    location = /t {
        mesh_authenticate token;
        mesh_limit calls rate=1r/h burst=99;
        empty_gif;
    }
    location = /two {
        mesh_authenticate token;
        mesh_limit wide rate=1r/h burst=149;
        mesh_limit narrow rate=1r/h burst=79 key=principal;
        empty_gif;
    }
}
CONF

for my $workers (2, 4) {
    my $server = Test::Mesh::Server->start($conf, workers => $workers, name => "$workers workers");
    for my $port ('', 'reuse') {
        my $name = "$workers workers" . ($port && ' with reuseport');
        my $clients = each_worker($server, '/worker', port => $port, each => 2);
        is keys %$clients, $workers, "$name: all take part";
        my @all = map { @$_ } values %$clients;

        my $sent = @all * 30;
        my $fire = sub ($target, $service, $principal) {
            my $bearer = bearer(subject => "$principal-$port", claims => { azp => "$service-$port" });
            return tally(\@all, (request_bytes($target, $bearer)) x 30);
        };
        my $counts = sub ($admitted) { return { 200 => $admitted, 429 => $sent - $admitted } };

        is_deeply $fire->('/t', 'one', 'a'), $counts->(100),
            "$name: of $sent requests at once, burst + 1 are admitted";
        is_deeply $fire->('/t', 'two', 'a'), $counts->(100), "$name: and as many of another service";
        is_deeply $fire->('/two', 'one', 'a'), $counts->(80), "$name: of two limits the tightest decides";
        # What that one refused was not charged to the wide one, or nothing would be left there.
        is_deeply $fire->('/two', 'one', 'b'), $counts->(70),
            "$name: and another principal has what is left of the wide one";
        $_->close for @all;
    }
    $server->stop;
}
done_testing;
