package Test::Mesh::File;

use v5.36;

use Exporter qw(import);

our @EXPORT = qw(replace slurp spew);

# The bytes of a file; of one that cannot be read, the default if there is one.
sub slurp ($path, $default = undef) {
    open my $in, '<:raw', $path or return $default // die "$path: $!\n";
    local $/;
    return <$in> // $default // die "$path: $!\n";
}

# Writes a file in its place, and returns its path.
sub spew ($path, $bytes) {
    open my $out, '>:raw', $path or die "$path: $!\n";
    print {$out} $bytes;
    close $out or die "$path: $!\n";
    return $path;
}

# Writes a file beside another one and renames it: nobody reads half of it. Returns the path.
sub replace ($path, $bytes) {
    chmod 0644, spew("$path.new", $bytes);
    rename "$path.new", $path or die "rename $path.new: $!\n";
    return $path;
}

1;

__END__

=head1 NAME

Test::Mesh::File - the contents of files

=head1 SYNOPSIS

    my $text = slurp("$directory/a.jwks");
    my $log = slurp("$directory/error.log", '');    # of one that may not be there yet
    my $path = spew("$directory/idp.jwks", $text);
    replace($path, $other);

=head1 DESCRIPTION

All read and write bytes. C<replace> is how tools replace a secret or a key set; C<spew> writes
over what is there.

=cut
