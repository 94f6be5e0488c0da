"""Compressed DICOM files, written by GDCM."""

import gdcm
from pydicom import dcmread


def compress(path, syntax):
    """Transcode a file with GDCM, in place."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert dcmread(path).file_meta.TransferSyntaxUID == gdcm.TransferSyntax(syntax).GetString()
