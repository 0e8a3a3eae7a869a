package Test::Mesh::Rewrite;

use v5.36;

use Exporter qw(import);
use File::Basename qw(basename dirname);
use Time::HiRes qw(sleep);

use Test::Mesh::File;

our @EXPORT = qw(%REWRITES);

# How a file gets other bytes, as functions of its path and the bytes.
our %REWRITES = (
    'in place' => \&spew,
    'in two pieces' => \&spew_in_pieces,
    'renamed over' => \&replace,
    'deleted and made again' => \&delete_and_make,
    'symbolic link' => \&swap_link,
    'Kubernetes volume' => \&swap_volume,
);

# Those during which a reader may find half of the file, or none.
sub is_torn ($way) { return $way eq 'in two pieces' || $way eq 'deleted and made again' }

sub spew_in_pieces ($path, $bytes) {
    open my $out, '>:raw', $path or die "$path: $!\n";
    $out->autoflush;
    print {$out} substr $bytes, 0, 20;
    sleep 0.2;
    print {$out} substr $bytes, 20;
    close $out or die "$path: $!\n";
    return;
}

sub delete_and_make ($path, $bytes) {
    unlink $path;
    sleep 0.3;
    spew($path, $bytes);
    return;
}

sub swap_link ($path, $bytes) {
    state $version = 0;
    my $name = basename($path) . '.' . ++$version;
    spew(dirname($path) . "/$name", $bytes);
    symlink $name, "$path.new" or die "symlink: $!\n";
    rename "$path.new", $path or die "rename: $!\n";
    return;
}

# As the kubelet does: NAME -> ..data/NAME, ..data -> a directory of this version.
sub swap_volume ($path, $bytes) {
    state $version = 0;
    my ($volume, $name) = (dirname($path), basename($path));
    my $new = '..' . ++$version;
    mkdir "$volume/$new" or die "mkdir: $!\n";
    spew("$volume/$new/$name", $bytes);
    my $old = readlink "$volume/..data";
    symlink $new, "$volume/..data_tmp" or die "symlink: $!\n";
    rename "$volume/..data_tmp", "$volume/..data" or die "rename: $!\n";
    -l $path or symlink "..data/$name", $path or die "symlink: $!\n";
    return if !defined $old;
    unlink "$volume/$old/$name";
    rmdir "$volume/$old" or die "rmdir: $!\n";
    return;
}

1;

__END__

=head1 NAME

Test::Mesh::Rewrite - the ways in which tools write a file anew

=head1 SYNOPSIS

    for my $way (sort keys %REWRITES) {
        $REWRITES{$way}->("$directory/keys.json", $bytes);
    }

=head1 DESCRIPTION

Each way also makes the file. A way leaves its own traces in the directory of the file, so each needs
a directory of its own if C<symbolic link> and C<Kubernetes volume> are among them.

=cut
