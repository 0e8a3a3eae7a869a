package Test::Mesh::Signer;

use v5.36;

use Digest::SHA qw(sha256);
use Math::BigInt;
use MIME::Base64 qw(decode_base64url encode_base64url);

use Test::Mesh::Credentials qw(key_path token);
use Test::Mesh::File;

# The order of P-256 (SEC 2, section 2.4.2).
my $ORDER = Math::BigInt->from_hex(
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

# Signs by the key es256 of the tests, under another header where one is given.
sub new ($class, $other_head = undef) {
    my ($d) = slurp(key_path('es256.jwk')) =~ /"d"\s*:\s*"([\w-]+)"/ or die "no private key\n";
    my ($head, $payload, $signature) = split /\./, token();
    my ($r, $s) = map { number($_) } unpack 'a32 a32', decode_base64url($signature);

    # s = (digest + r d) / k: one token and the key give k, and with k every other s.
    my $rd = number(decode_base64url($d)) * $r % $ORDER;
    my $inverse = ($rd + number(sha256("$head.$payload")))->bmodinv($ORDER) * $s % $ORDER;
    return bless {
        head => $other_head // $head, r => bytes($r), inverse => $inverse, rest => $inverse * $rd % $ORDER,
    }, $class;
}

# A token with these claims, as JSON.
sub token_of ($self, $claims) {
    my $signed = "$self->{head}." . encode_base64url($claims, '');
    my $s = ($self->{inverse} * number(sha256($signed)) + $self->{rest}) % $ORDER;
    return "$signed." . encode_base64url($self->{r} . bytes($s), '');
}

sub number ($bytes) { return Math::BigInt->from_bytes($bytes) }

sub bytes ($number) { return substr "\0" x 32 . $number->to_bytes, -32 }

1;

__END__

=head1 NAME

Test::Mesh::Signer - valid tokens by the thousand

=head1 SYNOPSIS

    my $signer = Test::Mesh::Signer->new;
    my $token = $signer->token_of('{"iss":"https://idp.example", ...}');

=head1 DESCRIPTION

ES256 with one nonce for all signatures: a multiplication each, no process and no library. It gives
the key away to whoever sees two of them, which is no matter for a key of tests.

=cut
