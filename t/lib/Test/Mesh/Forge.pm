package Test::Mesh::Forge;

use v5.36;

use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);

use Test::Mesh::Credentials qw(key_path);
use Test::Mesh::File;
use Test::Mesh::Process qw(output_of);

our @EXPORT = qw(claims_of compact forged header_of json);
our @EXPORT_OK = qw(der der_integer es256);

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

# What the header and the claims of a token are.
sub header_of ($token) { return part_of($token, 0) }
sub claims_of ($token) { return part_of($token, 1) }

sub part_of ($token, $number) { return $json->decode(decode_base64url((split /\./, $token)[$number])) }

# A signature by the key rs256 of the tests.
sub rs256 ($input) {
    return openssl_sign($input, $der{rs256} //= rsa_key('rs256'), 'DER');
}

# An ECDSA signature over P-256 by the key in a file: r and s side by side (RFC 7518, section 3.4).
sub es256 ($input, $key, $form = 'PEM') {
    my ($r, $s) = unpack 'x2 x C/a x C/a', openssl_sign($input, $key, $form);
    return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}

sub openssl_sign ($input, $key, $form) {
    return output_of(qw(openssl dgst -sha256 -keyform), $form, '-sign', $key, spew(directory() . '/input', $input));
}

# The file of an RSA key as openssl reads it (RFC 8017, appendix A.1.2).
sub rsa_key ($name) {
    my $jwk = $json->decode(slurp(key_path("$name.jwk")));
    my @integers = map { decode_base64url($jwk->{$_}) } qw(n e d p q dp dq qi);
    return spew(directory() . "/$name.der", der(0x30, join '', map { der_integer($_) } "\0", @integers));
}

sub der ($tag, $content) {
    my $length = length $content;
    my $bytes = pack('N', $length) =~ s/\A\0+//r;
    my $prefix = $length < 128 ? '' : pack 'C', 0x80 | length $bytes;
    return pack('C', $tag) . $prefix . $bytes . $content;
}

# An integer of these bytes, which is not negative.
sub der_integer ($bytes) { return der(0x02, $bytes =~ /\A[\x80-\xff]/ ? "\0$bytes" : $bytes) }

sub directory () { return $directory //= tempdir('forge-XXXXXXXX', TMPDIR => 1, CLEANUP => 1) }

1;

__END__

=head1 NAME

Test::Mesh::Forge - tokens that no issuer would make

=head1 SYNOPSIS

    forged()                                        # as token(key => 'rs256')
    forged(payload => '{"iss":"a","iss":"b"}')      # these bytes, with a signature that is right
    forged(header => '{"alg":"RS256","crit":[]}')
    forged(claims => { exp => 'soon' })             # these claims over the usual ones
    compact($header, $payload, sub ($input) { '' }) # with any signature
    compact($header, $payload, sub ($input) { es256($input, 'key.pem') })
    claims_of($token)->{sub}

=head1 DESCRIPTION

What C<meshctl token mint> refuses to write is written here. C<json> encodes a value with its members
in order; C<der> and C<der_integer> encode as X.690 says.

=cut
