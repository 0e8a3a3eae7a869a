package Test::Mesh::Forge;

use v5.36;

use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);

use Test::Mesh::Credentials qw(key_path);
use Test::Mesh::File;

our @EXPORT = qw(compact forged json verdict);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $directory;
my %der;

sub json ($value) { return $json->encode($value) }

# A token of these very bytes, truly signed by the key rs256 of the issuer idp.
sub forged (%options) {
    my $header = $options{header} // json({ alg => 'RS256', kid => 'rs256', typ => 'JWT' });
    my $payload = $options{payload} // json({
        iss => 'https://idp.example', aud => 'mesh', sub => 'orders-api', exp => time + 3600,
        iat => time, ($options{claims} // {})->%*,
    });
    return compact($header, $payload, \&rs256);
}

# A token of these bytes, signed by what `sign` makes of the signing input.
sub compact ($header, $payload, $sign) {
    my $input = join '.', map { encode_base64url($_) } $header, $payload;
    return $input . '.' . encode_base64url($sign->($input));
}

# The status, and the reason that a server shows by `add_header Reason $mesh_reason always`.
sub verdict ($response) {
    return 'closed' unless $response;
    return join ' ', $response->{status}, $response->{headers}{reason} // ();
}

sub rs256 ($input) {
    my $key = $der{rs256} //= rsa_key('rs256');
    spew("$directory/input", $input);
    open my $out, '-|', 'openssl', 'dgst', '-sha256', '-keyform', 'DER', '-sign', $key,
        "$directory/input" or die "openssl: $!\n";
    binmode $out;
    my $signature = do { local $/; <$out> };
    close $out or die "openssl failed\n";
    return $signature;
}

# The file of an RSA key as openssl reads it (RFC 8017, appendix A.1.2).
sub rsa_key ($name) {
    $directory //= tempdir('forge-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $jwk = $json->decode(slurp(key_path("$name.jwk")));
    my @integers = ("\0", map { decode_base64url($jwk->{$_}) } qw(n e d p q dp dq qi));
    my $der = der(0x30, join '', map { der(0x02, /\A[\x80-\xff]/ ? "\0$_" : $_) } @integers);
    return spew("$directory/$name.der", $der);
}

sub der ($tag, $content) {
    my $length = length $content;
    my $bytes = pack('N', $length) =~ s/\A\0+//r;
    my $prefix = $length < 128 ? '' : pack 'C', 0x80 | length $bytes;
    return pack('C', $tag) . $prefix . $bytes . $content;
}

1;

__END__

=head1 NAME

Test::Mesh::Forge - tokens that no issuer would make, and what a server says of them

=head1 SYNOPSIS

    forged()                                        # as token(key => 'rs256')
    forged(payload => '{"iss":"a","iss":"b"}')      # these bytes, with a signature that is right
    forged(header => '{"alg":"RS256","crit":[]}')
    forged(claims => { exp => 'soon' })             # these claims over the usual ones
    compact($header, $payload, sub ($input) { '' }) # with any signature

    is verdict($server->get('/', bearer())), '200', 'it is admitted';
    is verdict($server->get('/')), '401 credential_missing', '... and this is not';

=head1 DESCRIPTION

What C<meshctl token mint> refuses to write is written here. A server of whose answers a C<verdict>
is asked shows its reason by C<add_header Reason $mesh_reason always>. C<json> encodes a value with
its members in order.

=cut
