// Own pictures for FABRIC: a chosen or dropped file as the server can read it.
/* global fabricUi */

/** Resolves to the file as a data URL, redrawn if it is large or of another format; '' if unusable. */
fabricUi.readPicture = (function() {
    const SENT_AS_THEY_ARE = ['image/png', 'image/jpeg', 'image/webp'];
    const MAX_FILE_BYTES = 6 * 1024 * 1024;
    const MAX_SIDE_PX = 2048;

    async function readPicture(file) {
        const isSmall = file.size <= MAX_FILE_BYTES;
        try {
            if (isSmall && SENT_AS_THEY_ARE.includes(file.type)) return await dataUrl(file);
            return await redraw(await createImageBitmap(file));
        } catch (error) {
            // Not a picture at all: the server says so in words.
            return '';
        }
    }

    async function redraw(bitmap) {
        const scale = Math.min(1, MAX_SIDE_PX / Math.max(bitmap.width, bitmap.height));
        const canvas = document.createElement('canvas');
        canvas.width = Math.max(1, Math.round(bitmap.width * scale));
        canvas.height = Math.max(1, Math.round(bitmap.height * scale));
        const context = canvas.getContext('2d');
        context.fillStyle = 'white';
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.imageSmoothingQuality = 'high';
        context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
        const blob = await new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', 0.95));
        return dataUrl(blob);
    }

    function dataUrl(blob) {
        return new Promise((resolve, reject) => {
            const reader = new FileReader();
            reader.onload = () => resolve(reader.result);
            reader.onerror = () => reject(reader.error);
            reader.readAsDataURL(blob);
        });
    }

    return readPicture;
})();

/** Resolves to the file in base64, in parts that gradio's connection carries. */
fabricUi.readParts = async function(file) {
    const PART_BYTES = 3 * 1024 * 1024;
    const parts = [];
    for (let start = 0; start === 0 || start < file.size; start += PART_BYTES) {
        parts.push(await fabricUi.base64(file.slice(start, start + PART_BYTES)));
    }
    return parts;
};

/** Resolves to the bytes of a file or part of one in base64. */
fabricUi.base64 = function(blob) {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(blob);
    });
};

/** Lets the browser save a file that came with an answer: {name, data in base64}. */
fabricUi.saveFile = function(file) {
    const bytes = Uint8Array.from(atob(file.data), each => each.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes]));
    const link = document.createElement('a');
    link.href = address;
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
};
