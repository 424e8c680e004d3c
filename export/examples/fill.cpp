// Fill the hole in a photo of a face: fill photo.jpg mask.png out.png [folder of photo.onnx and detector.onnx]
// Needs onnxruntime and OpenCV 4 or 5; build it with CMakeLists.txt. mask: white in the hole, with the size of the upright
// photo. out: upright, without the photo's colour profile, which OpenCV does not read; in a PNG known pixels are unchanged.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace {

struct Face {
  std::array<float, 4> box;      // x, y, width, height in photo pixels
  std::array<float, 10> points;  // x, y of left eye, right eye, nose, left and right mouth corner

  // The box, enlarged by a share of its size on each side and clipped to the photo.
  cv::Rect window(const cv::Mat& photo, float margin = 0) const {
    const auto [x, y, width, height] = box;
    const cv::Point corner(std::floor(x - margin * width), std::floor(y - margin * height));
    const cv::Point end(std::ceil(x + (1 + margin) * width), std::ceil(y + (1 + margin) * height));
    return cv::Rect(corner, end) & cv::Rect({}, photo.size());
  }
};

[[noreturn]] void stop(const std::string& sentence) {
  std::cerr << sentence << '\n';
  std::exit(1);
}

cv::Mat read(const std::string& file, int flags) {
  cv::Mat picture = cv::imread(file, flags);
  if (picture.empty()) stop(file + " is no picture that can be read.");
  return picture;
}

std::string size(const cv::Mat& picture) { return std::to_string(picture.cols) + " x " + std::to_string(picture.rows); }

class Network {
 public:
  Network(Ort::Env& env, const std::string& file)
      : session_(env, std::basic_string<ORTCHAR_T>(file.begin(), file.end()).c_str(), Ort::SessionOptions()) {}

  // image: CV_8UC3, RGB. mask: CV_8UC1, not 0 in the hole. points: 10 numbers, or none for the detector.
  std::vector<Ort::Value> run(cv::Mat& image, cv::Mat& mask, std::vector<const char*> outputs, float* points = nullptr) {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const std::array<int64_t, 4> shape{1, image.rows, image.cols, 3};
    const std::array<int64_t, 3> five{1, 5, 2};
    std::vector<const char*> names{"image", "mask"};
    std::vector<Ort::Value> inputs;
    inputs.push_back(Ort::Value::CreateTensor<uint8_t>(memory, image.data, 3 * image.total(), shape.data(), 4));
    inputs.push_back(Ort::Value::CreateTensor<uint8_t>(memory, mask.data, mask.total(), shape.data(), 3));
    if (points) {
      names.push_back("points");
      inputs.push_back(Ort::Value::CreateTensor<float>(memory, points, 10, five.data(), 3));
    }
    return session_.Run(Ort::RunOptions(), names.data(), inputs.data(), inputs.size(), outputs.data(), outputs.size());
  }

 private:
  Ort::Session session_;
};

std::vector<Face> detect(Network& detector, cv::Mat& image, cv::Mat& mask) {
  const auto outputs = detector.run(image, mask, {"boxes", "points"});
  std::vector<Face> faces(outputs[0].GetTensorTypeAndShapeInfo().GetShape()[0]);
  for (size_t i = 0; i < faces.size(); i++) {
    std::copy_n(outputs[0].GetTensorData<float>() + 4 * i, 4, faces[i].box.begin());
    std::copy_n(outputs[1].GetTensorData<float>() + 10 * i, 10, faces[i].points.begin());
  }
  return faces;
}

// The face that the mask covers most. Other faces are removed from the mask.
Face find_face(Network& detector, cv::Mat& image, cv::Mat& mask) {
  const std::vector<Face> faces = detect(detector, image, mask);
  std::vector<int> covered;
  const auto meets = [&](float margin) {
    covered.clear();
    for (const Face& face : faces) covered.push_back(cv::countNonZero(mask(face.window(mask, margin))));
    return std::any_of(covered.begin(), covered.end(), [](int pixels) { return pixels > 0; });
  };
  if (!meets(0) && !meets(0.5f)) {  // including hair and chin
    stop("No face was found under the mask. Only upright faces are found.");
  }
  const Face best = faces[std::max_element(covered.begin(), covered.end()) - covered.begin()];
  cv::Mat single = mask.clone();
  for (const Face& face : faces) single(face.window(mask)).setTo(0);
  mask(best.window(mask)).copyTo(single(best.window(mask)));
  if (cv::countNonZero(single != mask) > 0) {
    std::cerr << "The mask also covers another face, which was not filled. Fill it in a second run with its own mask.\n";
  }
  mask = single;
  return best;
}

}  // namespace

int main(int count, char** words) try {
  if (count < 4) stop("fill photo.jpg mask.png out.png [folder of photo.onnx and detector.onnx]");
  const std::string folder = count > 4 ? words[4] : ".";

  const cv::Mat stored = read(words[1], cv::IMREAD_UNCHANGED);  // unconverted, to check its format only
  if (stored.depth() != CV_8U) stop(std::string(words[1]) + " has more than 8 bits per channel. Save it with 8.");
  if (stored.channels() == 4) {
    cv::Mat alpha;
    cv::extractChannel(stored, alpha, 3);
    if (cv::countNonZero(alpha != 255) > 0) {
      stop(std::string(words[1]) + " is transparent in places: put it on a background first.");
    }
  }
  cv::Mat image = read(words[1], cv::IMREAD_COLOR);  // BGR, rotated by its EXIF
  cv::Mat mask = read(words[2], cv::IMREAD_GRAYSCALE) > 127;
  if (mask.size() != image.size()) {
    const bool rotated = mask.cols == image.rows && mask.rows == image.cols;
    stop("The mask has " + size(mask) + " pixels, the upright photo " + size(image) + ". " +
         (rotated ? "Rotate it as the photo's EXIF rotates the photo." : "Both must have the same size."));
  }
  const int hole = cv::countNonZero(mask);
  if (hole == static_cast<int>(mask.total())) stop("The mask covers the whole photo. Leave part of the face unmasked.");
  if (hole == 0) stop("The mask is empty, so nothing is filled. Paint the hole white.");
  cv::cvtColor(image, image, cv::COLOR_BGR2RGB);

  Ort::Env env(ORT_LOGGING_LEVEL_WARNING);
  env.DisableTelemetryEvents();
  Network detector(env, folder + "/detector.onnx"), photo(env, folder + "/photo.onnx");
  Face face = find_face(detector, image, mask);
  auto outputs = photo.run(image, mask, {"result", "face"}, face.points.data());
  if (*outputs[1].GetTensorData<float>() < 0.5f) {
    std::cerr << "The fill may not look like a face. Use a frontal face, or a smaller mask.\n";
  }
  cv::Mat result(image.size(), CV_8UC3, outputs[0].GetTensorMutableData<uint8_t>());
  cv::cvtColor(result, result, cv::COLOR_RGB2BGR);
  if (!cv::imwrite(words[3], result)) stop(std::string(words[3]) + " cannot be written.");
} catch (const std::exception& error) {
  stop(error.what());
}
