# An include in a mesh_issuer takes one file, not what an earlier line left behind.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Server;

my $issuer = 'issuer https://idp.example; audience mesh; jwks %%KEYS%%/idp.jwks;';

config_refused("mesh_issuer idp { $issuer include; }", qr{include: (?:takes one file|invalid number).*nginx\.conf:\d+},
    'no file');
config_refused("mesh_issuer idp { $issuer include a b; }", qr{include: (?:takes one file|invalid number)}, 'two files');
config_accepted("mesh_issuer idp { include %%ROOT%%/*.none; $issuer }", 'a mask that fits nothing');

done_testing;
