# mesh_log_level says at which level a refusal is logged, in one line that nobody can forge.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Forge;
use Test::Mesh::Server;

my @LEVELS = qw(error warn notice info);

sub start_logging ($error_log) {
    return Test::Mesh::Server->start(<<'CONF', log_level => $error_log, name => "error_log $error_log");
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    location /default { empty_gif; }
    location /info { mesh_log_level info; empty_gif; }
    location /notice { mesh_log_level notice; empty_gif; }
    location /warn { mesh_log_level warn; empty_gif; }
    location /error {
        mesh_log_level warn;
        empty_gif;
        location /error/error { mesh_log_level error; empty_gif; }
        location /error/inherited { empty_gif; }
    }
    location /claim { mesh_require_claim /admin true; empty_gif; }
    location /limit { mesh_limit calls rate=1r/h; empty_gif; }
    location /dry { mesh_dry_run all; mesh_log_level notice; empty_gif; }
}
CONF
}

my %level = (
    '/default' => 'error', '/info' => 'info', '/notice' => 'notice', '/warn' => 'warn', '/error/error' => 'error',
    '/error/inherited' => 'warn', '/dry' => 'notice',
);
# What is logged from each level of error_log on.
for my $at (0 .. $#LEVELS) {
    subtest "error_log $LEVELS[$at]" => sub {
        my $server = start_logging($LEVELS[$at]);
        my %is_logged = map { $_ => 1 } @LEVELS[0 .. $at];
        $server->get($_) for sort keys %level;
        my @lines = grep { / mesh refuses/ } split /\n/, $server->error_log;
        for my $target (sort keys %level) {
            my @of = map { /\[(\w+)\]/ } grep { / "GET \Q$target\E HTTP/ } @lines;
            my @expected = $is_logged{ $level{$target} } ? $level{$target} : ();
            is_deeply \@of, \@expected, "$target at $level{$target}";
        }
        $server->stop;
    };
}

subtest 'the line' => sub {
    my $server = start_logging('notice');
    my $line_of = sub ($target, @headers) {
        my $from = length $server->error_log;
        $server->get($target, @headers);
        my @lines = substr($server->error_log, $from) =~ /^.* mesh .*$/mg;
        is scalar @lines, 1, "one line for $target";
        return $lines[0] // '';
    };
    my $where = q(client: 127\.0\.0\.1, server: , request: "GET \S+ HTTP/1\.1", host: "localhost"$);
    like $line_of->('/default'), qr/\[error\] [^,]* mesh refuses, reason: credential_missing, $where/, 'of nobody';
    like $line_of->('/default', bearer(expires => '-1h')), qr/mesh refuses, reason: token_expired, $where/,
        'of a bad token says nothing of what it claims';
    like $line_of->('/claim', bearer(subject => 'etl')),
        qr/mesh refuses, reason: claim_refused, required: "\/admin true", claim: absent, service: "etl", $where/, 'of a denial says whom';
    $server->get('/limit', bearer(subject => 'etl'));
    like $line_of->('/limit', bearer(subject => 'etl')),
        qr/mesh refuses, reason: limited, limit: "calls", service: "etl", $where/, 'of a limit says which';
    like $line_of->('/dry'), qr/\[notice\] [^,]* mesh refuses \(dry run\), reason: credential_missing, $where/, 'of a dry run';

    my %names = (
        qq(a\n2026/01/01 00:00:00 [crit] forged) => 'a%0A2026/01/01 00:00:00 [crit] forged',
        qq(a", client: "b) => 'a%22, client: %22b', "\0\x1b[2J" => '%00%1B[2J', "Z\x{fc}rich" => 'Z%C3%BCrich',
        '%s%n%*s' => '%s%n%*s', 'x' x 300 => 'x' x 256 . '...',
    );
    for my $name (sort keys %names) {
        my $line = $line_of->('/claim', 'Authorization: Bearer ' . forged(claims => { sub => $name }));
        like $line, qr/reason: claim_refused, required: "\/admin true", claim: absent, service: "\Q$names{$name}\E", $where/, '... whose name is ' . substr $names{$name}, 0, 40;
    }
    $server->stop;
};

subtest 'what is admitted is not logged' => sub {
    my $server = start_logging('info');
    $server->get($_, bearer()) for '/default', '/info';
    unlike $server->error_log, qr/ mesh /, 'by us';
    $server->stop;
};

done_testing;
