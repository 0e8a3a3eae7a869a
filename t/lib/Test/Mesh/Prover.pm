package Test::Mesh::Prover;

use v5.36;

use Digest::SHA qw(sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

use Test::Mesh::Credentials qw(key_path);
use Test::Mesh::File;
use Test::Mesh::Signer;

my $json = JSON::PP->new->canonical;

# Proves possession of the key es256 of the tests.
sub new ($class) {
    my $jwk = $json->decode(slurp(key_path('es256.jwk')));
    my $header = $json->encode({
        typ => 'dpop+jwt', alg => 'ES256', jwk => { map { $_ => $jwk->{$_} } qw(kty crv x y) },
    });
    my $signer = Test::Mesh::Signer->new(encode_base64url($header, ''));
    return bless { signer => $signer, count => 0 }, $class;
}

# Another proof for a GET of that URL by that token.
sub prove ($self, $token, $url) {
    return $self->{signer}->token_of($json->encode({
        jti => join('-', $$, $self->{count}++), htm => 'GET', htu => $url, iat => time,
        ath => encode_base64url(sha256($token), ''),
    }));
}

1;

__END__

=head1 NAME

Test::Mesh::Prover - DPoP proofs by the thousand

=head1 SYNOPSIS

    my $prover = Test::Mesh::Prover->new;
    my $token = token(jkt_of => key_path('es256.jwk'));
    my $proof = $prover->prove($token, 'http://localhost/t');

=head1 DESCRIPTION

Made as by L<Test::Mesh::Signer>: a multiplication each, and no process.

=cut
