# `nginx -t` warns of a key set that the worker's user could not read again, and of no other one.

use v5.36;

use lib 't/lib';

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;

plan skip_all => 'only root can be another user' if $> != 0;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
mkdir "$dir/closed";
meshctl('key', 'generate', '--alg', 'ES256', '--kid', 'a', '--out', "$dir/a.jwk", '--jwks', "$dir/keys.json");
copy("$dir/keys.json", "$dir/closed/keys.json") or die "copy: $!\n";
symlink "$dir/closed/keys.json", "$dir/link.json" or die "symlink: $!\n";
my ($user, $group) = (getpwnam('nobody'))[2, 3];
my $names = 'nobody ' . getgrgid $group;

# Mode, owner and group of the file, the user of the worker, and whether it can read.
for my $case (
    [0644, 0, 0, $names, 1, 'by all'],
    [0600, 0, 0, $names, 0, "by root"],
    [0640, 0, 0, $names, 0, "by root's group"],
    [0640, 0, $group, $names, 1, "by the worker's group"],
    [0400, $user, 0, $names, 1, "by the worker's user"],
    [0044, $user, 0, $names, 0, "by all but the worker's user"],
    [0604, 0, $group, $names, 0, "by all but the worker's group"],
    [0600, 0, 0, 'root', 1, 'by root, who is the worker'],
) {
    my ($mode, $owner, $of, $worker, $can_read, $name) = @$case;
    chown $owner, $of, "$dir/keys.json" or die "chown: $!\n";
    chmod $mode, "$dir/keys.json" or die "chmod: $!\n";
    warns("$dir/keys.json", $worker, !$can_read, $name);
}

chown 0, 0, "$dir/keys.json" and chmod 0644, "$dir/keys.json" or die "chmod: $!\n";
# The way there counts as well.
chmod 0700, "$dir/closed";
warns("$dir/closed/keys.json", $names, 1, 'in a directory that is closed to the worker');
warns("$dir/link.json", $names, 1, 'behind a link into such a directory');
warns("$dir/closed/keys.json", 'root', 0, 'in such a directory, for root');
chmod 0755, "$dir/closed";
warns("$dir/closed/keys.json", $names, 0, 'in a directory that is open');

# A worker that cannot read what the master has read goes on with it, also after a reload.
for my $path ("$dir/keys.json", "$dir/closed/keys.json") {
    chmod 0600, $path;
    chmod 0700, "$dir/closed";
    # Of a file that has just changed nobody can say whether it will change again.
    select undef, undef, undef, 0.3;
    my $server = Test::Mesh::Server->start(<<"CONF", user => $names, expected => [qr/may not be readable/]);
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks $path;
}
server {
    listen 127.0.0.1:%%PORT%%;
    location / { mesh_authenticate token; empty_gif; }
}
CONF
    my $token = bearer(key => "$dir/a.jwk");
    is $server->get('/', $token)->{status}, 200, 'the keys of the start are in force';
    $server->reload;
    is $server->get('/', $token)->{status}, 200, 'and those of a reload';
    $server->stop;
}
done_testing;

sub warns ($path, $user, $warns, $name) {
    my $says = $warns ? qr/\[warn\].*"\Q$path\E" of mesh_issuer "idp" may not be readable by the worker's user/
        : qr/\A(?!.*may not be readable)/s;
    my $text = $warns ? 'warned of' : 'no matter';
    config_accepted(<<"CONF", "$text: readable $name", user => $user, says => $says);
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks $path;
}
CONF
}
