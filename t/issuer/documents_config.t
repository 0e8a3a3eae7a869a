# What `nginx -t` says of issuers whose keys come from a server, and of where they are kept; it asks nobody.

use v5.36;

use lib 't/lib';

use IO::Select;
use IO::Socket::INET;
use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Documents;
use Test::Mesh::File;
use Test::Mesh::Server;

my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die "listen: $!\n";
my $port = $socket->sockport;

sub issuer_of ($name, @lines) {
    return "mesh_issuer $name { issuer https://$name.example; audience mesh; @lines }\n";
}

subtest 'nothing is asked' => sub {
    my @asked = (
        issuer_of('idp', "jwks http://127.0.0.1:$port/keys;"),
        issuer_of('idp', "discovery http://127.0.0.1:$port/configuration;"),
        issuer_of('idp', "jwks http://localhost:$port/keys; trusted_certificate %%KEYS%%/ca.pem;"),
        issuer_of('idp', 'jwks https://192.0.2.1/keys;'),
        issuer_of('idp'),
    );
    config_accepted($_, "accepted: $_") for @asked;
    ok !IO::Select->new($socket)->can_read(0), 'nobody came to the server';
};

subtest 'plain http' => sub {
    my $warning = sub ($url) { qr/\[warn\].*mesh_issuer "idp" trusts any server at "\Q$url\E", since it is asked without TLS/ };
    for my $url ("http://127.0.0.1:$port/keys", "http://localhost:$port/keys") {
        config_accepted(issuer_of('idp', "jwks $url;"), "is warned of: $url", says => $warning->($url));
    }
    config_accepted(issuer_of('idp', 'jwks https://192.0.2.1/keys;'), 'TLS is not', says => qr/\A(?!.*without TLS)/s);
};

subtest 'a single process' => sub {
    my $refusal = qr/\[emerg\].*whose keys come from a server needs "master_process on"/;
    my $text = issuer_of('idp', "jwks http://127.0.0.1:$port/keys;");
    config_refused($text, $refusal, "fetches nothing, and says so: the line is $_", $_ => 'master_process off;')
        for qw(main after);
    config_accepted(issuer_of('idp', 'jwks %%KEYS%%/idp.jwks;'), 'reads files', main => 'master_process off;');
};

subtest 'mesh_state_path' => sub {
    my $directory = new_directory();
    config_accepted("mesh_state_path $directory;", 'a directory', says => qr/\A(?!.*\[warn\])/s);
    config_accepted('mesh_state_path logs;', 'one that is relative to the prefix');
    refused_at("mesh_state_path $directory/none; # here", qq(mesh_state_path: "$directory/none": No such file or directory));
    spew("$directory/file", '');
    refused_at("mesh_state_path $directory/file; # here", qq(mesh_state_path: "$directory/file" is no directory));
    refused_at('mesh_state_path ""; # here', q(mesh_state_path: the directory's name is empty));
    refused_at("mesh_state_path $directory a; # here", 'mesh_state_path: invalid number of arguments');
    refused_at("mesh_state_path $directory;\nmesh_state_path $directory; # here", 'mesh_state_path: is duplicate');
    refused_at("server {\n mesh_state_path $directory; # here\n}", '"mesh_state_path" directive is not allowed here');
    return if $> != 0;
    my $user = 'nobody ' . getgrgid +(getpwnam 'nobody')[3];
    my $warning = qr/\[warn\].*mesh_state_path "\Q$directory\E" may not be writable by the worker's user/;
    my $silence = qr/\A(?!.*may not be writable)/s;
    for my $case ([0755, $user, $warning], [0777, $user, $silence], [0766, $user, $warning], [0700, 'root', $silence]) {
        my ($mode, $worker, $says) = @$case;
        chmod $mode, $directory;
        config_accepted("mesh_state_path $directory;", sprintf('mode %o for %s', $mode, $worker),
            user => $worker, says => $says);
    }
};

subtest 'mesh_status' => sub {
    refused_at("server {\n mesh_status; # here\n}", '"mesh_status" directive is not allowed here');
    refused_at("server {\n location / {\n mesh_status on; # here\n}\n}", 'invalid number of arguments in "mesh_status"');
    refused_at("server {\n location / {\n mesh_status;\n mesh_status; # here\n}\n}", 'mesh_status: is duplicate');
};
done_testing;
