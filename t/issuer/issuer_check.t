# `meshctl issuer check` reads a configuration as Nginx does: the same issuers, the same faults.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my $keys = key_path('idp.jwks');
mkdir "$dir/conf.d";

# The status and the report of a check of the file.
sub checked ($name) {
    # What it says of a file that it cannot read is not for the output of the tests.
    open my $in, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh', meshctl_path(), qw(issuer check --json), "$dir/$name"
        or die "meshctl: $!\n";
    my $text = do { local $/; <$in> };
    close $in;
    return ($? >> 8, $text ? JSON::PP->new->decode($text) : undef);
}

spew("$dir/conf.d/20-b.conf", "mesh_issuer b { issuer https://b.example; audience a; jwks $keys; }\n");
spew("$dir/conf.d/10-a.conf", "mesh_issuer a { issuer https://a.example; include $dir/part; jwks $keys; }\n");
spew("$dir/part", qq(audience "a b" 'c;{}';\n));
spew("$dir/good.conf", <<"CONF");
# mesh_issuer commented { }
include $dir/conf.d/*.conf; mesh_issuer "quoted" { # a comment }
  'issuer' "https://quoted.example/~tenant?a=\\"b\\""
  ; audience x#y; jwks '$keys';}
server { listen 127.0.0.1:1; location ~ "^/a{2}\$" { if (\$arg_a = "}") { return 204; } } }
map \$arg_b \$c { "mesh_issuer" 1; default "\${arg_b}{"; }
mesh_issuer escaped { issuer https://e.example/a\\;b; audience a; jwks $keys; }
CONF
config_accepted("include $dir/good.conf;", 'Nginx takes the configuration');
my ($status, $report) = checked('good.conf');
is $status, 0, 'and so does meshctl' or diag explain $report;
is_deeply [map { [$_->@{qw(name issuer)}] } $report->{issuers}->@*], [
    ['a', 'https://a.example'],
    ['b', 'https://b.example'],
    ['quoted', 'https://quoted.example/~tenant?a="b"'],
    ['escaped', 'https://e.example/a\;b'],
], 'with the same issuers, in the order of the configuration';
is_deeply [grep { !$_->{good} } $report->{issuers}->@*], [], 'whose keys are usable';

for my $bad (
    ["mesh_issuer a { issuer a; audience a; jwks $keys; leeway never; }", 'leeway: "never" is not a time'],
    ["mesh_issuer a { issuer a; jwks $keys; }", 'mesh_issuer "a" has no "audience"'],
    ["mesh_issuer a { issuer a; audience a; jwks $keys; typo b; }", 'unknown directive "typo"'],
    ["mesh_issuer { }", 'invalid number of arguments in "mesh_issuer"'],
) {
    my ($text, $message) = @$bad;
    spew("$dir/bad.conf", $text);
    config_refused("include $dir/bad.conf;", qr/\Q$message\E/, "Nginx refuses: $message");
    ($status, $report) = checked('bad.conf');
    is $status, 1, 'and so does meshctl';
    like $report->{faults}[0] // '', qr/\Q$message\E/, 'by the same words';
    like $report->{faults}[0] // '', qr/\Q$dir\E\/bad\.conf:1\b/, 'with the same place';
}

for my $broken ('mesh_issuer a {', 'a "b"c;', ';', 'a }') {
    spew("$dir/broken.conf", $broken);
    config_refused("include $dir/broken.conf;", qr/broken\.conf:1/, "Nginx cannot read: $broken");
    ($status) = checked('broken.conf');
    is $status, 2, 'nor can meshctl';
}
done_testing;
