# A key set that cannot be used never counts: the last good keys stay, and the log says so once.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(each_worker statuses token_server);
use Test::Mesh::Server;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my @names = qw(first second);
new_keys($dir, @names);
my %set = map { $_ => slurp("$dir/$_.set") } @names;
# Another key of the same name.
my ($other) = $set{first} =~ s/"first"/"second"/gr =~ /(\{[^{}]*\})/ or die "no key in $set{first}\n";
my ($key) = $set{second} =~ /(\{[^{}]*\})/ or die "no key in $set{second}\n";
# Base64url, as the value of any key: it must not be found in the log.
my $content = 'Y29udGVudHMtb2YtYS1maWxl';

# What becomes of each file, and what the log says then.
my @bad = (
    'no JSON' => [sub ($path) { replace($path, qq({"keys":[{"kty":"oct","k":"$content"})) }, qr/JSON|EOF/],
    'another type' => [sub ($path) { replace($path, qq({"keys":"$content"})) }, qr/"keys" is missing/],
    'a member twice' => [sub ($path) { replace($path, qq({"keys":[],"keys":[],"$content":"$content"})) }, qr/./],
    'nothing' => [sub ($path) { replace($path, '') }, qr/empty/],
    'white space' => [sub ($path) { replace($path, " \n" x 50) }, qr/empty/],
    'over 4 MiB' => [sub ($path) { replace($path, $set{second} . ' ' x (1 << 22)) }, qr/larger than 4194304/],
    'no usable key' => [
        sub ($path) { replace($path, qq({"keys":[{"kty":"oct","kid":"s","k":"$content"}]})) },
        qr/no usable key: key "s": /,
    ],
    'two keys of one name' => [
        sub ($path) { replace($path, qq({"keys":[$key,$other]})) },
        qr/no usable key: key "second": another key has the same kid and algorithm, neither is used/,
    ],
    'gone' => [sub ($path) { unlink $path }, qr/No such file/],
    'a dangling link' => [
        sub ($path) {
            symlink 'nowhere', "$path.new" or die "symlink: $!\n";
            rename "$path.new", $path or die "rename: $!\n";
        },
        qr/No such file/,
    ],
    'a directory' => [
        sub ($path) {
            unlink $path;
            mkdir $path or die "mkdir: $!\n";
        },
        qr/not a regular file/,
    ],
    'a FIFO' => [
        sub ($path) {
            unlink $path;
            system('mkfifo', $path) == 0 or die "no FIFO\n";
        },
        qr/not a regular file/,
    ],
    'not readable' => [
        sub ($path) {
            replace($path, $set{second});
            chmod 0, $path;
        },
        qr/Permission denied/,
    ],
);
my @kinds = @bad[grep { $_ % 2 == 0 } 0 .. $#bad];
my %bad = @bad;

my $conf = '';
for my $number (0 .. $#kinds) {
    spew("$dir/$number.json", $set{first});
    $conf .= <<"END";
mesh_issuer issuer$number {
    issuer https://issuer$number.example;
    audience mesh;
    jwks $dir/$number.json;
}
END
}
sleep 0.3;
my $server = Test::Mesh::Server->start($conf . token_server(), workers => 2, user => $> == 0 ? 'nobody nogroup' : undef);
my $clients = each_worker($server, '/t');

is statuses_of($_, 'first'), '200 200', "issuer $_: the key is in force" for 0 .. $#kinds;
$bad{ $kinds[$_] }[0]->("$dir/$_.json") for 0 .. $#kinds;
# Told when a second look finds the same, and then no more.
$server->await_log(qr/\Q$dir\E\/$_\.json".*/) for 0 .. $#kinds;
sleep 2.2;
for my $number (0 .. $#kinds) {
    my ($kind, $pattern) = ($kinds[$number], $bad{ $kinds[$number] }[1]);
    is statuses_of($number, 'first'), '200 200', "$kind: the last good key stays";
    is statuses_of($number, 'second'), '401 401', "$kind: no other one counts";
    my @told = $server->log_lines(qr{\[(?:notice|warn|error|crit)\].*/$number\.json"});
    is @told, 1, "$kind: it is told once" or diag @told;
    like $told[0] // '', qr{\[error\].*$pattern.* while reloading ".*/$number\.json"}, "$kind: as an error, and why";
}

for my $number (0 .. $#kinds) {
    my $path = "$dir/$number.json";
    rmdir $path if -d $path;
    replace($path, $set{second});
}
for my $number (0 .. $#kinds) {
    $server->await("new keys: $kinds[$number]", sub {
        statuses_of($number, 'second') eq '200 200' && statuses_of($number, 'first') eq '401 401';
    });
    $server->await("message: $kinds[$number]", sub { (my @told = $server->log_lines(qr{\[(?:notice|warn|error|crit)\].*/$number\.json"})) >= 2 });
}
# In which it would be told again.
sleep 0.6;
for my $number (0 .. $#kinds) {
    pass "$kinds[$number]: a good file replaces the keys";
    my @told = $server->log_lines(qr{\[(?:notice|warn|error|crit)\].*/$number\.json"});
    is @told, 2, "$kinds[$number]: and is told once" or diag @told;
    like $told[-1], qr/\[notice\]/, "$kinds[$number]: as a notice";
}

my ($x) = $set{second} =~ /"x"\s*:\s*"([\w-]+)"/;
is index($server->error_log, $_), -1, 'the log holds nothing of a file' for $content, $x;
$server->stop;
done_testing;

sub statuses_of ($number, $key) {
    my $bearer = bearer(key => "$dir/$key.jwk", issuer => "https://issuer$number.example");
    return statuses($clients, '/t', $bearer);
}
