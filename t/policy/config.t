# What nginx -t says of platforms and policies.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::File;
use Test::Mesh::Server;

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
spew("$dir/good.yaml", "version: 1\n");
spew("$dir/bad.yaml", "version: 1\nroles:\n  r: [ { kafka: { topic: [a], actions: [produce] } } ]\n");
spew("$dir/warns.yaml", "version: 1\nservices: { s: [ { issuer: idq, service: a } ] }\n");
spew("$dir/good.routes", <<'TABLE');
platform orders
kind order form=number actions=read
GET /orders/{id} orders.get order:read path:id
TABLE
spew("$dir/bad.routes", "platform orders\nGET /orders/{id} orders.get thing:read path:id\n");
spew("$dir/kafka.routes", "platform kafka\nkind topic form=token actions=describe\nGET /t t.get topic:describe all\n");

sub refused ($lines, $pattern, $name = $lines) {
    config_refused("include %%KEYS%%/issuers.conf;\n$lines" =~ s/%%DIR%%/$dir/gr, $pattern, $name);
    return;
}

sub accepted ($lines, $name = $lines) {
    config_accepted("include %%KEYS%%/issuers.conf;\n$lines" =~ s/%%DIR%%/$dir/gr, $name);
    return;
}

my $on = 'mesh_authenticate token;';

subtest 'a platform needs authentication and a policy' => sub {
    refused("server { mesh_policy %%DIR%%/good.yaml; mesh_platform http; }",
        qr/\[emerg\].*mesh_platform does nothing: neither its block nor one within has mesh_authenticate in \S+:\d+/);
    refused("server { $on mesh_platform http; }", qr/\[emerg\].*mesh_platform needs a mesh_policy in \S+:\d+/);
    refused("mesh_policy %%DIR%%/good.yaml; server { $on mesh_platform http; location / { mesh_policy off; } }",
        qr/mesh_platform needs a mesh_policy, which is off here/);
    accepted("mesh_policy %%DIR%%/good.yaml; server { $on mesh_platform http; location / { mesh_platform off; } }");
};

subtest 'a policy needs a platform' => sub {
    refused("server { $on mesh_policy %%DIR%%/good.yaml; }",
        qr/mesh_policy does nothing: neither its block nor one within has mesh_platform in \S+:\d+/);
};

subtest 'settings are those of the table' => sub {
    my $server = "mesh_policy %%DIR%%/good.yaml; server { $on mesh_platform";
    accepted("$server kafka_rest dialect=confluent,karapace cluster=C1 prefix=/kafka; }");
    accepted("$server databricks account_api=on oidc=pass workspace=1 account=2; }");
    refused("$server kafka_rest dialect=other; }", qr/the platform has no setting "dialect=other" in \S+:\d+/);
    refused("$server kafka_rest workspace=1; }", qr/the platform has no setting "workspace=1"/);
    refused("$server kafka_rest cluster=a cluster=b; }", qr/"cluster" is set twice/);
    refused("$server dbt_cloud account=; }", qr/no setting "account="/);
    refused("$server http prefix=a; }", qr/prefix="a" is no path that begins with "\/"/);
    refused("$server http prefix=/a/../b; }", qr/prefix="\/a\/\.\.\/b" is no path/);
    refused("$server http prefix=/a prefix=/b; }", qr/prefix="\/b" is the second one/);
};

subtest 'a table of the operator' => sub {
    my $server = "mesh_policy %%DIR%%/good.yaml; server { $on mesh_platform";
    accepted("$server file=%%DIR%%/good.routes; }");
    refused("$server file=%%DIR%%/bad.routes; }", qr/\[emerg\].*there is no kind "thing" in \S+bad\.routes:2/);
    refused("$server file=%%DIR%%/none.routes; }", qr/\[emerg\].*none\.routes.*No such file/);
    refused("$server file=%%DIR%%/kafka.routes; location / { mesh_platform kafka_rest; } }",
        qr/another location has the platform "kafka" by another table/);
};

subtest 'a bad policy is told by its places' => sub {
    refused("mesh_policy %%DIR%%/bad.yaml; server { $on mesh_platform kafka_rest; }",
        qr/\[emerg\] mesh_policy: \S+bad\.yaml:3:\d+: .*did you mean "topics"\?/);
    refused("mesh_policy %%DIR%%/none.yaml; server { $on mesh_platform kafka_rest; }",
        qr/\[emerg\].*none\.yaml.*No such file.* in \S+:\d+/);
};

subtest 'a policy that another module may pass by is warned of' => sub {
    my ($status, $output) = Test::Mesh::Server::test_config(<<"CONF" =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
server {
    mesh_policy %%DIR%%/good.yaml;
    mesh_platform http;
    $on
    location /any { satisfy any; allow all; }
    location /all { }
}
CONF
    is $status, 0;
    like $output, qr/\[warn\].*mesh_policy is not asked about a request that another module admits: "satisfy any", in location "\/any"/;
    unlike $output, qr/"satisfy any", in location "\/all"/;
};

subtest 'an issuer that the configuration does not have is warned of' => sub {
    my $server = Test::Mesh::Server->start(<<"CONF" =~ s/%%DIR%%/$dir/gr, expected => [qr/no issuer "idq"/]);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_policy %%DIR%%/warns.yaml;
    mesh_platform kafka_rest;
}
CONF
    like slurp($server->root . '/logs/stderr', '') . $server->error_log,
        qr/\[warn\].*warns\.yaml:2:\d+: the configuration has no issuer "idq"; did you mean "idp"\?/;
    $server->stop;
};

done_testing;
