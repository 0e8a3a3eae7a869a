# The module exports what Nginx looks for and nothing else, and needs no TLS library.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Server;

my @symbols = lines('nm', '-D', '--defined-only', module_path());
is_deeply [sort map { (split)[-1] } @symbols], [qw(ngx_module_names ngx_module_order ngx_modules)],
    'three symbols' or diag @symbols;

my @dynamic = lines('readelf', '-dW', module_path());
my @needed = map { /\(NEEDED\).*\[(.*)\]/ ? $1 : () } @dynamic;
ok @needed > 0, 'what it needs is known';
is_deeply [grep { !/\A(?:libc|libm|libgcc_s|ld-linux-x86-64)\.so/ } @needed], [],
    'the C library, and no other';
ok grep({ /FLAGS_1.*\bNODELETE\b/ } @dynamic), 'it stays in memory until the process ends';
done_testing;

sub lines (@command) {
    open my $out, '-|', @command or die "$command[0]: $!\n";
    my @lines = <$out>;
    close $out or die "$command[0] fails\n";
    return @lines;
}
