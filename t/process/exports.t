# The module exports what Nginx looks for and nothing else, and needs no TLS library.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Process qw(output_of);
use Test::Mesh::Server;

my @symbols = split /^/, output_of('nm', '-D', '--defined-only', module_path());
is_deeply [sort map { (split)[-1] } @symbols], [qw(ngx_module_names ngx_module_order ngx_modules)],
    'three symbols' or diag @symbols;

my @dynamic = split /^/, output_of('readelf', '-dW', module_path());
my @needed = map { /\(NEEDED\).*\[(.*)\]/ ? $1 : () } @dynamic;
ok @needed > 0, 'what it needs is known';
is_deeply [grep { !/\A(?:libc|libm|libgcc_s|ld-linux-x86-64)\.so/ } @needed], [],
    'the C library, and no other';
ok grep({ /FLAGS_1.*\bNODELETE\b/ } @dynamic), 'it stays in memory until the process ends';
done_testing;

