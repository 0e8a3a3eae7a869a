package Test::Mesh::Documents;

use v5.36;

use Digest::SHA qw(sha256 sha256_hex);
use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP ();

use Test::Mesh::File;

our @EXPORT = qw(keep kids new_directory);

# A directory that any worker may write to.
sub new_directory () {
    my $directory = tempdir('mesh-state-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0777, $directory;
    return $directory;
}

# Writes a file of kept keys: of that name, issuer and URL, as old as that many seconds.
sub keep ($path, %options) {
    my $document = slurp($options{set});
    my $owner = sha256_hex(join '', map { pack('Q<', length) . $_ } $options{name}, $options{issuer}, 'jwks', $options{jwks});
    my $line = join ' ', 'mesh-keys 1', $owner, time - $options{age}, sha256_hex($document);
    $document =~ s/\}/ }/ if $options{damage};
    spew($path, $options{garbage} // "$line\n$document");
    return;
}

# The kids of a key set.
sub kids ($path) { return map { $_->{kid} } JSON::PP::decode_json(slurp($path))->{keys}->@* }

1;

__END__

=head1 NAME

Test::Mesh::Documents - keys that are shared between workers, and kept on disk

=head1 SYNOPSIS

    my $directory = new_directory();
    keep("$directory/idp.keys", name => 'idp', issuer => 'https://idp.example',
        jwks => 'https://idp.example/keys', age => 60, set => key_path('idp.jwks'));
    is $server->mesh_status->{issuers}[0]{generation}, 1, 'keys are there';

=head1 DESCRIPTION

C<keep> writes what C<mesh_state_path> keeps; with C<damage> its document is another one, with
C<garbage> it is that. C<kids> reads a key set.

=cut
