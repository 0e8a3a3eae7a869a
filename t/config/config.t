# A wrong value is refused when the configuration is read, with its file and its line.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Server;

my $rate = '"%s" is not a rate such as 100r/s, 60r/m, 100r/h or 1000r/d';
my @wrong = (
    # directive, values, message
    ['mesh_zone', '1', 'size "1" is too small'],
    ['mesh_zone', '63k', 'size "63k" is too small, at least 64k'],
    (map { ['mesh_zone', $_, qq("$_" is not a size such as 512k or 8m)] } qw(big -8m 8g 8.5m 8mm m 0x10000 99999999999999999999m)),
    ['mesh_zone', 'name 8m', 'invalid number of arguments in "mesh_zone"'],
    ['mesh_claim', '$team', 'invalid number of arguments in "mesh_claim"'],
    ['mesh_claim', '$team /team /org', 'invalid number of arguments in "mesh_claim"'],
    (map { ['mesh_claim', "$_ /team", qq(variable "$_" is not "\$" and lower-case letters)] } 'team', '$', '$Team', '$te-am', '$te.am', '$$a'),
    ['mesh_claim', '$team team', '"team" is not a JSON pointer such as'],
    ['mesh_claim', '$team ""', '"" is not a JSON pointer such as'],
    ['mesh_claim', '$host /host', 'the duplicate "host" variable'],
    ['mesh_claim', '$mesh_service /sub', 'the duplicate "mesh_service" variable'],
    ['mesh_certificate_name', 'uri', '"uri" is not spiffe, dns, dns=pattern or cn'],
    ['mesh_certificate_name', 'dns dns', '"dns" is named twice'],
    ['mesh_certificate_name', 'off', '"off" is not spiffe, dns, dns=pattern or cn'],
    ['mesh_certificate_name', 'dns dns=a.example', '"dns" is named twice'],
    (map { ['mesh_certificate_name', "dns=$_", qq("$_" is not a DNS name or a pattern such as *.example)] } '*..a', '**', '10.0.0.1', 'a_/b'),
    ['mesh_certificate_name', 'spiffe dns cn dns', 'invalid number of arguments'],
    ['mesh_accept', 'idp aud=x', '"aud=x" is not audience=value'],
    ['mesh_accept', 'idp audience=', '"audience=" is not audience=value'],
    ['mesh_accept', 'idp other', '"other" is not audience=value'],
    ['mesh_accept', '', 'invalid number of arguments'],
    ['mesh_require_claim', 'team x', '"team" is not a JSON pointer such as'],
    ['mesh_require_claim', '/team', 'names no value for the claim'],
    ['mesh_require_claim', '/team|/roles', 'names no value for the claim'],
    ['mesh_require_claim', '/team|/team x', 'names a claim twice'],
    ['mesh_require_claim', '/team|/~3 x', '"/~3" is not a JSON pointer such as'],
    ['mesh_require_claim', '/team !', 'has a "!" without a value'],
    ['mesh_require_claim', '/team x !x', 'has a value both with and without "!"'],
    ['mesh_require_claim', '/scope !a\ b', 'is no scope'],
    ['mesh_require_claim', 'on', '"on" is not a JSON pointer such as'],
    ['mesh_limit', 'a', 'has no rate='],
    ['mesh_limit', 'a burst=1', 'has no rate='],
    ['mesh_limit', 'rate=1r/s', 'limit name "rate=1r/s" may hold letters'],
    ['mesh_limit', '"a b" rate=1r/s', 'limit name "a b" may hold letters'],
    ['mesh_limit', '"" rate=1r/s', 'limit name "" may hold letters'],
    (map { ['mesh_limit', "a rate=$_", sprintf $rate, $_] } qw(1 1r 1r/w 1r/D 1/s r/s 0r/s -1r/s 1.5r/s 1000001r/s 5000000000r/s 1R/s), ''),
    ['mesh_limit', 'a rate=1r/s rate=1r/s', 'is duplicate'],
    (map { ['mesh_limit', "a rate=1r/s burst=$_", qq("$_" is not a number from 0 to 1000000)] } qw(-1 1.5 x 1000001 +1), ''),
    (map { ['mesh_limit', "a rate=1r/s burst=9 cost=$_", qq("$_" is not a number from 1 to 1000000)] } qw(0 -1 x 1000001), ''),
    ['mesh_limit', 'a rate=1r/s burst=2 cost=4', 'a cost of 4 can never pass with a burst of 2'],
    ['mesh_limit', 'a rate=1r/d burst=100', 'a burst of 100 at 1r/d takes more than 100 days to pay back'],
    ['mesh_limit', 'a rate=1r/m burst=1000000', 'takes more than 100 days to pay back'],
    (map { ['mesh_limit', "a rate=1r/s key=$_", qq("$_" is not service, principal, issuer, address or a \$variable)] } qw(team Service $), ''),
    ['mesh_limit', 'a rate=1r/s nodelay', '"nodelay" is not rate=, key=, burst= or cost='],
    ['mesh_limit', 'a rate=1r/s zone=x', '"zone=x" is not rate=, key=, burst= or cost='],
    ['mesh_limit', 'a rate=1r/s burst=1 cost=1 key=service off', 'invalid number of arguments'],
    ['mesh_failure_limit', 'burst=1', 'has no rate='],
    ['mesh_failure_limit', 'rate=1r/x', sprintf $rate, '1r/x'],
    ['mesh_failure_limit', 'rate=1r/s burst=x', '"x" is not a number from 0'],
    ['mesh_failure_limit', 'rate=1r/s key=service', '"key=service" is not off, rate= or burst='],
    ['mesh_failure_limit', 'a rate=1r/s', '"a" is not off, rate= or burst='],
    ['mesh_failure_limit', 'rate=1r/m burst=1000000', 'takes more than 100 days to pay back'],
    (map { ['mesh_forward_credential', $_, qq("$_" is not on or off)] } qw(yes ON 1)),
    ['mesh_forward_credential', 'on off', 'invalid number of arguments'],
    (map { ['mesh_export', $_, qq("$_" is not headers or off)] } qw(on all header)),
    (map { ['mesh_dry_run', $_, qq("$_" is not off, limit, policy or all)] } qw(on limits)),
    ['mesh_platform', 'kafka', '"kafka" is not off, file=table or one of kafka_rest, databricks, synapse, dbt_cloud, http'],
    ['mesh_platform', 'off x', '"off" must be alone'],
    ['mesh_platform', 'file=', "the file's name is empty"],
    ['mesh_policy', '""', "the file's name is empty"],
    (map { ['mesh_body_inspect', $_, qq("$_" is not a size)] } qw(0 x 1g -1)),
    ['mesh_body_inspect', '2048m', '"2048m" is not a size from 1 to 1024m'],
    (map { ['mesh_body_timeout', $_, qq("$_" is not a time)] } qw(0 x 2h)),
    ['mesh_body_memory', '1k', 'size "1k" is too small, at least 64k'],
    (map { ['mesh_explain', $_, qq("$_" is not on or off)] } qw(yes 1)),
    (map { ['mesh_log_level', $_, qq("$_" is not info, notice, warn or error)] } qw(debug crit off Error)),
    (map { ['mesh_limit_status', $_, qq("$_" is not a status from 400 to 599)] } qw(200 399 600 -1 x 4290 429.0)),
);

for my $row (@wrong) {
    my ($name, $values, $message) = @$row;
    my $before = "# The first line.\ninclude %%KEYS%%/issuers.conf;\nmesh_authenticate token;\n\n";
    refused_at("$before$name $values; # here\nserver { }\n", $message, "$name $values");
}

subtest 'the message begins with the directive' => sub {
    refused_at("mesh_limit a; # here\n", 'mesh_limit: has no rate=');
    refused_at("mesh_zone 1; # here\n", 'mesh_zone: size "1"');
};

my %once = (
    mesh_zone => '8m', mesh_authenticate => 'off', mesh_certificate_name => 'dns', mesh_failure_limit => 'rate=1r/s',
    mesh_forward_credential => 'on', mesh_export => 'off', mesh_dry_run => 'all', mesh_log_level => 'info',
    mesh_limit_status => '503',
);
subtest 'what may stand once a level' => sub {
    refused_at("$_ $once{$_};\n$_ $once{$_}; # here\n", "$_: is duplicate") for sort keys %once;
    for my $name (grep { $_ ne 'mesh_zone' } sort keys %once) {
        config_accepted("$name $once{$name}; server { $name $once{$name}; location / { $name $once{$name}; } }",
            "$name stands once in each of http, server and location");
    }
};

subtest 'lists' => sub {
    my %list = (
        mesh_accept => ['idp', 'other'], mesh_require_claim => ['/a x', '/b x'],
        mesh_limit => ['a rate=1r/s', 'b rate=1r/s'],
    );
    for my $name (sort keys %list) {
        my ($first, $second) = $list{$name}->@*;
        refused_at("$name $first;\n$name off; # here\n", qq($name: "off" must be alone));
        refused_at("$name off;\n$name $first; # here\n", qq($name: follows "off", which must be alone));
        refused_at("$name off;\n$name off; # here\n", "$name: ", "$name off twice");
        config_accepted("include %%KEYS%%/issuers.conf; $name $first; $name $second;", "$name several times");
    }
    refused_at("mesh_accept idp;\nmesh_accept idp; # here\n", 'mesh_accept: issuer "idp" is accepted twice');
    refused_at("mesh_limit a rate=1r/s;\nmesh_limit a rate=1r/s; # here\n", 'mesh_limit: limit "a" is duplicate');
    refused_at("mesh_claim \$a /a;\nmesh_claim \$a /b; # here\n", 'mesh_claim: variable "$a" is duplicate');
    my $eight = join '', map { "mesh_limit l$_ rate=1r/s;\n" } 1 .. 8;
    config_accepted($eight, 'eight limits in one place');
    refused_at("${eight}mesh_limit l9 rate=1r/s; # here\n", 'mesh_limit: more than 8 limits in one place');
};

subtest 'contexts' => sub {
    my %everywhere = (
        %once, mesh_accept => 'off', mesh_require_claim => 'off', mesh_limit => 'off',
    );
    delete $everywhere{mesh_zone};
    my %http = (mesh_zone => '8m', mesh_claim => '$a /a', mesh_issuer => 'a { }');
    for my $name (sort keys %http) {
        my $end = $name eq 'mesh_issuer' ? '' : ';';
        for my $around ('server {', 'server { location / {') {
            my $close = $around =~ s/[^{]//gr =~ tr/{/}/r;
            refused_at("$around\n$name $http{$name}$end # here\n$close\n",
                qq("$name" directive is not allowed here), "$name in $around");
        }
    }
    for my $name (sort keys %everywhere) {
        my $line = "$name $everywhere{$name};";
        config_accepted("$line server { $line location / { $line location /a { $line limit_except GET { $line } } } }", "$name everywhere");
        refused_at("server { location / {\nif (\$arg_a) {\n$line # here\n} } }\n",
            qq($name: is in an "if": ), "$name in if");
        refused_at("upstream u {\n$line # here\nserver 127.0.0.1:1; }\n",
            qq("$name" directive is not allowed here), "$name in upstream");
        config_refused('', qr/"$name" directive is not allowed here/, "$name outside of http", main => $line);
    }
};

subtest 'what is found when a location is complete' => sub {
    my $issuers = "include %%KEYS%%/issuers.conf;\n";
    refused_at("${issuers}server {\n location / {\n mesh_authenticate token;\n mesh_accept nobody; # here\n} }\n",
        'mesh_accept: no mesh_issuer "nobody" (there is: idp, other)');
    refused_at("${issuers}mesh_accept nobody; # here\nserver { location / { mesh_authenticate token; } }\n",
        'mesh_accept: no mesh_issuer "nobody"', 'also where it is inherited');
    refused_at("${issuers}mesh_authenticate token;\nmesh_limit a rate=1r/s;\nserver { }\nserver {\n"
        . "mesh_limit a rate=2r/s; # here\n}\n", 'mesh_limit "a" has other parameters than the one in ');
    config_refused("${issuers}mesh_authenticate token;\nmesh_limit a rate=1r/s key=\$nobody;\nserver { }",
        qr/unknown "nobody" variable/, 'a variable that nobody declares');
};

subtest 'bytes that are no text' => sub {
    refused_at("mesh_require_claim /a \xff; # here\n", 'is not UTF-8');
    config_accepted("mesh_require_claim /a \xc3\xbc;", 'UTF-8 is');
    my ($status, $output) = Test::Mesh::Server::test_config("mesh_limit \"a\nb\" rate=1r/s;");
    isnt $status, 0, 'a line break in a name is refused';
    like $output, qr/limit name "a%0Ab" may hold/, '... and breaks no line of the log';
};

done_testing;
